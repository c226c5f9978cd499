package check

import "github.com/watermill-rueidis/redisstream/tests/chaos/history"

// due is a message that every group of its topic has to settle.
type due struct {
	topic, uuid, entry string
	since              int64 // when Publish was called
	shown              history.Event
}

// lost holds "at least once": what was published, or is in the stream at the end,
// was acked, dropped or moved to the dead letters by every group. Excused is what
// was trimmed or flushed away, and what the README gives up with a destroyed group.
func lost(s *story, r *Report) {
	for _, d := range s.dues() {
		for _, g := range s.options.Groups {
			if g.Name == "" || g.Topic != d.topic {
				continue
			}
			r.checked("lost")
			a := audience{topic: g.Topic, group: g.Name}
			switch {
			case s.isSettled(a, d):
			case s.wasRemoved(d) || s.wentWithGroup(a, d):
				r.excused("lost")
			default:
				c := &course{audience: a, uuid: d.uuid, entry: d.entry}
				r.broken("lost", c, "nobody in the group has settled the message", append(s.deliveries(a, d), d.shown)...)
			}
		}
	}
}

// dues lists what Publish said to have published, and what else is in the stream.
func (s *story) dues() []due {
	var out []due
	known := map[[2]string]bool{}
	for _, e := range s.published {
		known[[2]string{e.Topic, e.UUID}] = true
		d := due{topic: e.Topic, uuid: e.UUID, entry: e.Entry, since: e.At, shown: e}
		if p, ok := s.publishing[e.UUID]; ok {
			d.since = p.At
		}
		out = append(out, d)
	}
	for _, e := range s.inStream {
		if e.UUID == "" || !known[[2]string{e.Topic, e.UUID}] && !s.isCopy(e) {
			out = append(out, due{topic: e.Topic, uuid: e.UUID, entry: e.Entry, since: s.publishing[e.UUID].At, shown: e})
		}
	}
	return out
}

// isCopy reports whether an entry was made of a dead letter, for one group alone.
func (s *story) isCopy(e history.Event) bool {
	for _, back := range s.requeued[[2]string{e.Topic, e.UUID}] {
		if back.Entry != e.Entry {
			return true
		}
	}
	return false
}

func (s *story) isSettled(a audience, d due) bool {
	for _, c := range s.in(a, d) {
		if len(c.letters) > 0 || c.first((*handOut).done) != nil {
			return true
		}
	}
	return false
}

// in lists the courses of a message in an audience.
func (s *story) in(a audience, d due) []*course {
	if d.uuid == "" {
		if c := s.byEntry[courseKey{a, d.entry}]; c != nil {
			return []*course{c}
		}
		return nil
	}
	return s.byUUID[messageKey{a, d.uuid}]
}

// deliveries shows what an audience did with a message.
func (s *story) deliveries(a audience, d due) []history.Event {
	var out []history.Event
	for _, c := range s.in(a, d) {
		for _, h := range c.handOuts {
			out = append(out, h.delivered)
			if h.outcome.Kind != "" {
				out = append(out, h.outcome)
			}
		}
	}
	return out
}

func (s *story) wasRemoved(d due) bool {
	for _, id := range append(s.entries[[2]string{d.topic, d.uuid}], d.entry) {
		if s.wasTrimmed(d.topic, id) {
			return true
		}
	}
	return d.since > 0 && s.flushed(d.since-s.o.slack, never)
}
