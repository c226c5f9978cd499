package xstream

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/rueidis"
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
	_, err = g.inscribe(ctx, b, g.Client.B().Eval().Script(ackBuried).Numkeys(2).Key(g.Key, b.Dead).Arg(g.Name, b.ID).Build())
	return err == nil, err
}

// inscribe adds a letter and then sends the script that acks its entry, in one
// transaction. The error is that of the letter; the reply is the script's.
func (g Group) inscribe(ctx context.Context, b Burial, ack rueidis.Completed) (rueidis.RedisMessage, error) {
	var none rueidis.RedisMessage
	a := Adder{client: g.Client}
	replies := g.Client.DoMulti(ctx,
		g.Client.B().Multi().Build(),
		g.Client.B().Xack().Key(g.Key).Group(g.Name).Id(ackNothing).Build(), // fails as the ack would, and with it the transaction
		a.command([]string{b.Dead}, nil, &Addition{MaxLen: b.MaxLen, Fields: b.Fields}),
		ack,
		g.Client.B().Exec().Build(),
	)
	if err := replies[0].Error(); err != nil && IsReply(err) { // no transactions: each was executed by itself
		acked, _ := replies[3].ToMessage()
		return acked, explain(replies[2].Error(), "xadd", b.Dead)
	}
	results, err := replies[4].ToArray()
	if err != nil {
		return none, g.aborted(err, replies[1:4], b.Dead)
	}
	if len(results) != 3 {
		return none, errShort
	}
	return results[2], results[1].Error()
}

// aborted is why a letter's transaction was not executed: what the server said of a command
// tells more than EXECABORT.
func (g Group) aborted(err error, queued []rueidis.RedisResult, dead string) error {
	if !IsReply(err) {
		return err
	}
	calls := [...][]string{{"xack", g.Key}, {"xadd", dead}, {"eval", g.Key, dead}}
	for i, reply := range queued {
		if reason := reply.Error(); reason != nil {
			return explain(reason, calls[i][0], calls[i][1:]...)
		}
	}
	return explain(err, "exec")
}

// Requeue says how a dead letter goes back to its group.
type Requeue struct {
	Dead    string   // the stream of dead letters
	Letter  string   // ID there
	Entry   string   // ID of the entry that was given up
	Own     int      // how many of the letter's names and values a copy has
	Address []string // name, value, … that a copy has behind them
}

// ErrTooLong is returned for a letter that can't be copied in one step.
var ErrTooLong = errors.New("its entry is gone, and it has too many fields to be copied in one step: add a copy with XADD, then delete the letter")

// Requeue gives a dead letter back to the group: the entry itself while it
// exists, else a copy. It reports false when there is no such letter, as after
// another Requeue.
func (g Group) Requeue(ctx context.Context, r Requeue) (bool, error) {
	args := append([]string{g.Name, r.Letter, r.Entry, strconv.Itoa(r.Own), millis(releasedIdle), strconv.Itoa(maxScriptValues)}, r.Address...)
	n, err := g.exec(ctx, requeue, []string{r.Dead}, args).AsInt64()
	if n < 0 {
		err = ErrTooLong
	}
	return n == 1, err
}
