package redisstream

import (
	"context"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// recentStep is how far apart the remembered entries are, at most, that a stream is asked for.
const recentStep = 16

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
	for i := range entries {
		e := &entries[i]
		e.Seal() // else several would look
		h.trail.add(e.ID)
		h.recent.add(e)
		if sum, known := h.again[e.ID]; !known || sum != e.Fingerprint() {
			fresh = append(fresh, *e)
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

// differs reports whether the stream has not got the last entry any more that was read. If it has,
// it has all before it, too. It may have been deleted; to read once more does no harm then.
func (h *history) differs(ctx context.Context) (bool, error) {
	ours := h.recent.last(1)
	if len(ours) == 0 {
		return false, nil
	}
	found, err := h.has(ctx, ours[0])
	return !found, err
}

// has reports whether the stream has an entry that was read. Without the right to ask it is
// taken for granted.
func (h *history) has(ctx context.Context, s seen) (bool, error) {
	e, found, err := h.stream.Find(ctx, s.id)
	if err != nil && xstream.Classify(err) == xstream.Refused {
		return true, nil
	}
	return found && (s.print == 0 || s.print == e.Fingerprint()), err
}

// common is from where on to read once more a stream that differs. If it has any of the entries
// that are remembered, it has had all before that one.
func (h *history) common(ctx context.Context) (xstream.ID, error) {
	if !h.recent.isFull() {
		return h.start, nil
	}
	ours := h.recent.last(recentMost)
	oldest := ours[0].id
	for back := 1; back <= len(ours); back += min(back, recentStep) {
		if found, err := h.has(ctx, ours[len(ours)-back]); found || err != nil {
			return oldest, err
		}
	}
	for _, id := range h.trail.upTo(oldest) {
		if found, err := h.has(ctx, seen{id: id}); found || err != nil {
			return id, err
		}
	}
	return oldest, nil // what is older was trimmed, or deleted
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
		h.startAnew()
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

// startAnew forgets the stream, for another one, or one that is not there.
func (h *history) startAnew() {
	h.again, h.recent, h.until = nil, recent{}, xstream.ID{}
	h.cursor, h.start = xstream.ID{}, xstream.ID{}
	h.trail.cut(xstream.ID{})
}
