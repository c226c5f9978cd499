package check

import (
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// process is one start of a member.
type process struct {
	name       string
	subscribed int64
	closing    int64
	channel    int64
	gone       int64
	wasKilled  bool
	away       []span // when it was stopped, or got no time
	cut        []span // when something was wrong with its line
}

func (s *story) process(name string) *process {
	p := s.processes[name]
	if p == nil {
		p = &process{name: name, subscribed: never, closing: never, channel: never, gone: never}
		s.processes[name] = p
	}
	return p
}

func (s *story) noteProcess(e history.Event) {
	if e.Process == "" {
		return
	}
	p := s.process(e.Process)
	switch e.Kind {
	case history.Subscribed:
		p.subscribed = e.At
	case history.Closing:
		p.closing = e.At
	case history.ChannelEnd:
		p.channel = e.At
	case history.ProcessExit:
		p.gone = min(p.gone, e.At)
	case history.Killed:
		p.gone, p.wasKilled = min(p.gone, e.At), true
	case history.Paused:
		p.away = append(p.away, span{e.At, never})
	case history.Resumed:
		p.away[len(p.away)-1].to = e.At
	case task.Stalled:
		d, _ := time.ParseDuration(e.Text)
		p.stalled(span{e.At - int64(d), e.At})
	case history.FaultBegins:
		if slices.Contains(s.options.CutOff, e.Text) {
			p.cut = append(p.cut, span{e.At, never})
		}
	case history.FaultEnds:
		if n := len(p.cut); n > 0 && slices.Contains(s.options.CutOff, e.Text) {
			p.cut[n-1].to = e.At
		}
	default:
	}
}

// stalled adds a time in which the process got no time. A pause that was planned is seen by
// the process itself, too, and it ends when the process is back.
func (p *process) stalled(s span) {
	for i := range p.away {
		if a := &p.away[i]; a.overlaps(s.from, s.to) {
			a.from, a.to = min(a.from, s.from), max(a.to, s.to)
			return
		}
	}
	p.away = append(p.away, s)
}

// awayAt returns the time around another one, or shortly before it, in which the process was
// stopped or got no time.
func (p *process) awayAt(at int64) (span, bool) {
	for _, a := range p.away {
		if a.overlaps(at-int64(wake), at) {
			return a, true
		}
	}
	return span{}, false
}
