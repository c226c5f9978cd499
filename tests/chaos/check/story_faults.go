package check

import (
	"cmp"
	"slices"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

func (s *story) takeProcess(e history.Event) {
	p := s.process(cmp.Or(e.Process, e.Target))
	switch e.Kind {
	case history.Subscribed:
		if sub := p.subscription(audienceOf(e)); sub == nil || sub.ended != never {
			s.subscribe(p, audienceOf(e), e.At)
		}
	case history.Closing:
		p.closing = append(p.closing, e)
		for _, sub := range p.subscriptions {
			if e.Topic == "" || sub.audience == audienceOf(e) {
				sub.closing = min(sub.closing, e.At)
			}
		}
	case history.ChannelEnd:
		if sub := p.subscription(audienceOf(e)); sub != nil && sub.channel.Kind == "" {
			sub.channel = e
			sub.ended = min(sub.ended, e.At)
		}
	case history.Killed, history.ProcessExit:
		p.killed = p.killed || e.Kind == history.Killed
		p.died = min(p.died, e.At)
	case history.Paused:
		p.pauses = append(p.pauses, span{e.At, never})
	default: // resumed
		if n := len(p.pauses); n > 0 && p.pauses[n-1].to == never {
			p.pauses[n-1].to = e.At
		}
	}
}

func (s *story) takeFault(e history.Event) {
	key := [2]string{e.Target, e.Text}
	switch e.Kind {
	case history.FaultBegins:
		s.open[key] = e
	case history.FaultEnds:
		if begin, ok := s.open[key]; ok {
			delete(s.open, key)
			s.fault(begin, e.At)
		}
	case history.Flushed:
		s.flushes = append(s.flushes, e)
		for _, g := range s.options.Groups { // the groups went with all the rest
			a := audience{topic: g.Topic, group: g.Name}
			s.destroyed[a] = append(s.destroyed[a], e)
		}
	default: // a group was destroyed
		a := audience{topic: e.Topic, group: cmp.Or(e.Group, e.Target)}
		s.destroyed[a] = append(s.destroyed[a], e)
	}
}

// fault notes when a server or a connection did not work.
func (s *story) fault(begin history.Event, end int64) {
	during := span{begin.At, end}
	if slices.Contains(s.options.Refusals, begin.Text) {
		s.refusals = append(s.refusals, during)
	}
	switch {
	case begin.Target == history.Server && begin.Text == history.ClockJump:
		s.clocks = append(s.clocks, during)
	case begin.Text == history.ClockJump || slices.Contains(s.options.NoTrouble, begin.Text):
	case begin.Target == history.Server:
		s.outages = append(s.outages, during)
	default:
		if p := s.processes[begin.Target]; p != nil {
			p.cuts = append(p.cuts, during)
		}
	}
}

// close ends what was open at the end, and says of each process when it was in
// trouble.
func (s *story) close() {
	for _, begin := range s.open {
		s.fault(begin, s.end)
	}
	for _, p := range s.processes {
		var all []trouble
		for _, t := range p.pauses {
			all = append(all, trouble{span{t.from, min(t.to, s.end)}, true})
		}
		for _, t := range p.cuts {
			all = append(all, trouble{t, true})
		}
		for _, t := range s.outages {
			all = append(all, trouble{t, false})
		}
		p.troubles = joined(all, s.o.ackTime)
		for _, sub := range p.subscriptions {
			sub.ended = min(sub.ended, p.died)
			for _, h := range sub.handOuts {
				h.ended = min(h.ended, sub.ended)
			}
		}
	}
}

// wasTrimmed reports whether an entry was removed from its stream.
func (s *story) wasTrimmed(topic, entry string) bool { return s.trimmed[[2]string{topic, entry}] }

// flushed reports whether everything was removed between two times.
func (s *story) flushed(from, to int64) bool {
	for _, e := range s.flushes {
		if e.At >= from && e.At <= to {
			return true
		}
	}
	return false
}
