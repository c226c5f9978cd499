package xstream

import (
	"context"
	"strconv"
)

// Bury moves an entry of the partition's consumer, whatever the burial says, to the dead
// letters in one step. It reports false when the entry is not pending any more. The
// error may be ErrFenced.
func (t Tenure) Bury(ctx context.Context, b Burial) (bool, error) {
	b.Consumer = t.Consumer
	if len(b.Fields) > maxScriptValues {
		return t.buryLarge(ctx, b)
	}
	head := []string{t.Name, b.Consumer, b.ID, strconv.FormatInt(b.MaxLen, 10)}
	reply, err := t.fenced(ctx, fencedBury, []string{b.Dead}, append(head, b.Fields...)...)
	if err != nil {
		return false, err
	}
	n, err := reply.AsInt64()
	return n == 1, err
}

// buryLarge is like that of Group. Who loses the partition between its two steps leaves
// a letter without having acked the entry.
func (t Tenure) buryLarge(ctx context.Context, b Burial) (bool, error) {
	counts, err := t.Recount(ctx, []Count{{b.ID, Unchanged}})
	if err != nil || counts[0] == NotMine {
		return false, err
	}
	keys := append([]string{t.Key}, t.fenceKeys(b.Dead)...)
	reply, err := t.inscribe(ctx, b, t.Client.B().Eval().Script(fencedAckBuried).Numkeys(int64(len(keys))).
		Key(keys...).Arg(t.fenceArgs(t.Name, b.ID)...).Build())
	if err == nil && isFenced(&reply) {
		err = ErrFenced
	}
	return err == nil, err
}
