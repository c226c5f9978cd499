package redisstream

import (
	"context"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// history is what a reader of a whole stream knows of it: how far it has come, and by what to
// recognise the stream. A server that takes over may have lost the last entries, and may have
// added others that come before the cursor, or even have the IDs of those that were lost.
type history struct {
	stream xstream.Stream
	log    logger
	cursor xstream.ID
	start  xstream.ID // all behind it was read and is in recent, unless that has forgotten some
	trail  *trail
	recent recent
	again  map[xstream.ID]uint64 // what was read already of what is read once more; nil = nothing is
	until  xstream.ID            // the last one of those
	broken bool                  // a read has failed: another server may have taken over
}

// advance notes what was read, and returns what of it is new.
func (h *history) advance(entries []xstream.Entry) []xstream.Entry {
	h.cursor = entries[len(entries)-1].ID
	fresh := entries[:0]
	for _, e := range entries {
		h.trail.add(e.ID)
		h.recent.add(&e)
		if sum, known := h.again[e.ID]; !known || sum != e.Fingerprint() {
			fresh = append(fresh, e)
		}
	}
	if !h.cursor.Less(h.until) {
		h.again = nil
	}
	return fresh
}

// review moves the cursor back if the stream, which ends with last, is not the one that was
// read.
func (h *history) review(ctx context.Context, last xstream.ID) error {
	if last.Less(h.trail.last) {
		return h.startOver(ctx, last)
	}
	if !h.broken {
		return nil
	}
	differs, err := h.differs(ctx)
	if err != nil || !differs {
		return err
	}
	from, err := h.common(ctx)
	if err != nil {
		return err
	}
	h.log.Info("The stream has other entries than it had, reading once more", watermill.LogFields{"cursor": h.cursor.String(), "from": from.String()})
	h.goBack(from)
	return nil
}

// differs reports whether the stream has, among the last entries that were read, others, or not
// the first of them any more. It may have been deleted; to read once more does no harm then.
func (h *history) differs(ctx context.Context) (bool, error) {
	ours := h.recent.last(recentCheck)
	if len(ours) == 0 {
		return false, nil
	}
	theirs, err := h.from(ctx, ours[0].id, len(ours))
	if err != nil || len(theirs) == 0 {
		return false, err
	}
	known, until := prints(ours), ours[len(ours)-1].id
	for i := range theirs {
		e := &theirs[i]
		if until.Less(e.ID) {
			return i == 0, nil
		}
		if sum, ok := known[e.ID]; !ok || sum != e.Fingerprint() || i == 0 && e.ID != ours[0].id {
			return true, nil
		}
	}
	return false, nil
}

// from reads some entries from an ID on; nothing without the right to it.
func (h *history) from(ctx context.Context, id xstream.ID, n int) ([]xstream.Entry, error) {
	entries, err := h.stream.Range(ctx, id, n)
	if err != nil && xstream.Classify(err) == xstream.Refused {
		return nil, nil
	}
	return entries, err
}

// has reports whether the stream has an entry.
func (h *history) has(ctx context.Context, id xstream.ID) (bool, error) {
	entries, err := h.from(ctx, id, 1)
	return len(entries) == 1 && entries[0].ID == id, err
}

// common is from where on to read once more a stream that differs.
func (h *history) common(ctx context.Context) (xstream.ID, error) {
	if !h.recent.isFull() {
		return h.start, nil
	}
	oldest := h.recent.last(recentMost)[0].id
	for _, id := range append([]xstream.ID{oldest}, h.trail.upTo(oldest)...) {
		if found, err := h.has(ctx, id); found || err != nil {
			return id, err
		}
	}
	return oldest, nil // what is older was trimmed
}

// goBack reads once more from an ID on.
func (h *history) goBack(from xstream.ID) {
	if h.again == nil {
		h.again = map[xstream.ID]uint64{}
	}
	for _, s := range h.recent.last(recentMost) {
		h.again[s.id] = s.print
	}
	if h.until.Less(h.cursor) {
		h.until = h.cursor
	}
	h.cursor, h.start, h.recent = from, from, recent{}
	h.trail.cut(from)
}

// startOver finds out whether the stream that does not reach as far as it did is
// another one, or the same without its last entries, as after a failover.
func (h *history) startOver(ctx context.Context, last xstream.ID) error {
	same := false
	for _, id := range h.trail.upTo(last) {
		entries, err := h.stream.Range(ctx, id, 1)
		if err != nil && xstream.Classify(err) != xstream.Refused { // else it can't be known
			return err
		}
		if same = len(entries) == 1 && entries[0].ID == id; same {
			break
		}
	}
	fields := watermill.LogFields{"cursor": h.cursor.String(), "last_id": last.String()}
	if !same {
		h.log.Info("Another stream has taken the topic's name, reading it from its start", fields)
		h.again, h.recent = nil, recent{}
		h.cursor, h.start = xstream.ID{}, xstream.ID{}
		h.trail.cut(xstream.ID{})
		return nil
	}
	h.log.Info("The stream has lost its last entries, going on with the next one", fields)
	from, err := h.common(ctx)
	if err != nil {
		return err
	}
	if last.Less(from) { // nothing was read
		from = last
	}
	h.goBack(from)
	return nil
}

func prints(list []seen) map[xstream.ID]uint64 {
	m := make(map[xstream.ID]uint64, len(list))
	for _, s := range list {
		m[s.id] = s.print
	}
	return m
}
