package xstream

import (
	"context"
	"strconv"
)

// Recalled is what Recall has found, in the order of the IDs.
type Recalled struct {
	Entries []Entry  // with their delivery counts as they are
	Gone    []string // IDs whose entry was trimmed or deleted; they are acked now
	Next    ID       // where to go on
	More    bool     // there may be more from there on
}

// Recall returns up to count entries, and at most 128, that are pending in the group,
// whoever has them, from an ID on. All become the partition's consumer's, and no delivery
// count changes. It is how an owner begins: XREADGROUP with an ID would count each as
// one more delivery. The error may be ErrFenced.
func (t Tenure) Recall(ctx context.Context, from ID, count int) (Recalled, error) {
	count = max(min(count, scriptPage), 1)
	return t.recalled(ctx, recall, from, count, t.Name, t.Consumer, from.String(), strconv.Itoa(count))
}

// recalled runs a script that looks at so many entries.
func (t Tenure) recalled(ctx context.Context, s *script, from ID, count int, args ...string) (Recalled, error) {
	r := Recalled{Next: from}
	message, err := t.fenced(ctx, s, nil, args...)
	if err != nil {
		return r, err
	}
	reply, err := message.ToArray()
	if err != nil {
		return r, err
	}
	if len(reply) != 2 {
		return r, errShort
	}
	if r.Entries, err = parseTaken(nil, &reply[0]); err != nil {
		return r, err
	}
	if r.Gone, err = reply[1].AsStrSlice(); err != nil {
		return r, err
	}
	r.More = len(r.Entries)+len(r.Gone) == count
	r.Next, err = r.behind(from)
	return r, err
}

// behind is the ID after the last one.
func (r *Recalled) behind(from ID) (ID, error) {
	next := from
	if n := len(r.Entries); n > 0 {
		next = r.Entries[n-1].ID.Next()
	}
	if n := len(r.Gone); n > 0 {
		last, err := ParseID(r.Gone[n-1])
		if err != nil {
			return from, err
		}
		if next.Less(last.Next()) {
			next = last.Next()
		}
	}
	return next, nil
}

// Adopt is Recall for what is pending for other consumers, up to an ID. More says that it
// may not be all.
func (t Tenure) Adopt(ctx context.Context, to ID, count int) (Recalled, error) {
	count = max(min(count, scriptPage), 1)
	return t.recalled(ctx, adopt, ID{}, count, t.Name, t.Consumer, to.String(), strconv.Itoa(count))
}
