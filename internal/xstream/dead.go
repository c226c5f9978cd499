package xstream

import (
	"context"
	"strconv"
)

// maxScriptValues is how many values a script can pass to a command: Lua's stack
// ends at 8,000.
const maxScriptValues = 7000

// Burial is the move of an entry to the dead letters.
type Burial struct {
	Dead     string // the stream of dead letters; in the slot of the group's stream
	MaxLen   int64  // about how many dead letters to keep; 0 = all
	Consumer string // who has the entry
	ID       string
	Fields   []string // name, value, … of the letter
}

// Bury moves an entry to the dead letters in one step. It reports false when the
// entry no longer belongs to the consumer.
func (g Group) Bury(ctx context.Context, b Burial) (bool, error) {
	if len(b.Fields) > maxScriptValues {
		return g.buryLarge(ctx, b)
	}
	head := []string{g.Name, b.Consumer, b.ID, strconv.FormatInt(b.MaxLen, 10)}
	n, err := g.exec(ctx, bury, []string{b.Dead}, append(head, b.Fields...)).AsInt64()
	return n == 1, err
}

// buryLarge is Bury for what a script can't handle: a transaction adds the letter
// and then asks a script to ack, if the letter could be added. To renew the entry
// first is as good as to look in the same step, as nobody may take it for MinIdle.
func (g Group) buryLarge(ctx context.Context, b Burial) (bool, error) {
	counts, err := g.Touch(ctx, b.Consumer, []Count{{b.ID, Unchanged}})
	if err != nil || counts[0] == NotMine {
		return false, err
	}
	a := Adder{client: g.Client}
	replies := g.Client.DoMulti(ctx,
		g.Client.B().Multi().Build(),
		a.command(b.Dead, Addition{MaxLen: b.MaxLen, Fields: b.Fields}),
		g.Client.B().Eval().Script(ackBuried).Numkeys(2).Key(g.Key, b.Dead).Arg(g.Name, b.ID).Build(),
		g.Client.B().Exec().Build(),
	)
	if err := replies[0].Error(); err != nil && IsReply(err) { // no transactions: each was executed by itself
		return true, replies[1].Error()
	}
	results, err := replies[3].ToArray()
	if err != nil {
		return false, err
	}
	if len(results) != 2 {
		return false, errShort
	}
	return true, results[0].Error()
}

// Range lists up to count entries from an ID on.
func (s Stream) Range(ctx context.Context, from ID, count int) ([]Entry, error) {
	reply, err := s.read(ctx, "XRANGE", "", from.String(), "+", "COUNT", strconv.Itoa(max(count, 1))).ToMessage()
	if err != nil {
		return nil, ignoreNil(err)
	}
	return parseEntries(nil, &reply)
}
