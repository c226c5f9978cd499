package check

import (
	"slices"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// handOut is one delivery and what became of it.
type handOut struct {
	process   *process
	session   *session
	entry     *entry
	delivered history.Event
	told      history.Event // the end of its context
	outcome   history.Event // of its handler
}

func (h *handOut) at() int64 { return h.delivered.At }

// toldAt is when its handler saw the end of its context.
func (h *handOut) toldAt() int64 { return atOrNever(h.told) }

// ended is when nobody works on it any more.
func (h *handOut) ended() int64 { return min(atOrNever(h.outcome), h.process.gone) }

func (h *handOut) isAcked() bool { return h.outcome.Kind == history.Acking }

func atOrNever(e history.Event) int64 {
	if e.Kind == "" {
		return never
	}
	return e.At
}

func (s *story) noteHandOut(e history.Event) {
	switch e.Kind {
	case history.Delivered:
		x := s.entries[place{e.Partition, e.Entry}]
		if x == nil || x.uuid != e.UUID {
			s.strangers = append(s.strangers, e)
			return
		}
		h := &handOut{process: s.process(e.Process), session: s.session(e), entry: x, delivered: e}
		x.handOuts = append(x.handOuts, h)
		h.session.handOuts = append(h.session.handOuts, h)
		s.handOuts = append(s.handOuts, h)
	case history.Acking, history.Nacking:
		if h := s.lastOf(e); h != nil {
			h.outcome = e
		}
	case history.ContextEnd:
		if h := s.lastOf(e); h != nil {
			h.told = e
		}
	default:
	}
}

// lastOf is the hand-out that a handler speaks of.
func (s *story) lastOf(e history.Event) *handOut {
	x := s.entries[place{e.Partition, e.Entry}]
	if x == nil {
		return nil
	}
	for _, h := range slices.Backward(x.handOuts) {
		d := h.delivered
		if d.Process == e.Process && d.Epoch == e.Epoch && d.Deliveries == e.Deliveries && h.outcome.Kind == "" {
			return h
		}
	}
	return nil
}
