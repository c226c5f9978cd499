package chaos

import (
	"fmt"
	"strings"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// minIdle is the least that is allowed: a round should be short.
const minIdle = time.Second

// Plan is all that a round does, made from its seed.
type Plan struct {
	Seed         uint64
	Groups       []Members
	FanOut       []Members // subscriptions without a group, of one member each
	Publishers   int
	Publisher    task.Publisher
	CloseTimeout time.Duration
	Requeue      bool     // dead letters, when all is settled
	Strikes      []Strike // in the order in which they begin
}

// Members are the consumers of a group.
type Members struct {
	Group         string
	Count         int
	Named         bool // they have names of their own in Redis
	MaxInFlight   int
	MaxDeliveries int
	ReturnToGroup bool
	Takes         time.Duration // a handler at least
}

// Strike is one fault at a time.
type Strike struct {
	Name   string
	Target string // a process, "server", or a group
	At     time.Duration
	For    time.Duration

	hits  place
	fault fault
}

// fault is what happens to a stage.
type fault interface {
	begin(s *stage) error
	end(s *stage) error
}

// String tells the plan in words.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d publishers, a call every %v, batches of up to %d, CloseTimeout %v\n",
		p.Seed, p.Publishers, p.Publisher.Every, p.Publisher.Batch, p.CloseTimeout)
	if p.Publisher.Poison > 0 {
		fmt.Fprintf(&b, "  one message in %d is always nacked\n", p.Publisher.Poison)
	}
	if p.Publisher.Killer > 0 {
		fmt.Fprintf(&b, "  message %d of publisher-1 kills its consumers\n", p.Publisher.Killer)
	}
	if p.Requeue {
		fmt.Fprintf(&b, "  dead letters are put back\n")
	}
	for _, m := range append(p.Groups, p.FanOut...) {
		fmt.Fprintf(&b, "  %v\n", m)
	}
	for _, s := range p.Strikes {
		fmt.Fprintf(&b, "  %v\n", s)
	}
	return b.String()
}

// topic is what its messages are published to.
func (p Plan) topic() string { return fmt.Sprintf("chaos-%d", p.Seed) }

// Faults are the names of its faults, in their order.
func (p Plan) Faults() []string {
	names := make([]string, len(p.Strikes))
	for i, s := range p.Strikes {
		names[i] = s.Name
	}
	return names
}

func (m Members) String() string {
	text := fmt.Sprintf("%s: %d consumers", m.title(), m.Count)
	if m.Named {
		text += " with names"
	}
	text += fmt.Sprintf(", MaxInFlight %d, MaxDeliveries %d", m.MaxInFlight, m.MaxDeliveries)
	if m.ReturnToGroup {
		text += ", ReturnToGroup"
	}
	return text
}

func (m Members) title() string {
	if m.Group == "" {
		return "fan-out"
	}
	return m.Group
}

func (s Strike) String() string {
	return fmt.Sprintf("%v to %v: %s at %s %+v",
		s.At.Round(time.Millisecond), (s.At + s.For).Round(time.Millisecond), s.Name, s.Target, s.fault)
}
