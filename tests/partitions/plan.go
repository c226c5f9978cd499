package partitions

import (
	"fmt"
	"strings"
	"time"
)

// leaseTTL is the least that is allowed: a round should be short.
const leaseTTL = time.Second

// Plan is all that a round does, made from its seed.
type Plan struct {
	Seed         uint64
	MaxInFlight  []int // of the member in each slot
	First        int   // how many of the slots have a member at the beginning
	Publishers   int
	Keys         int // of each publisher
	Every        time.Duration
	Takes        time.Duration // a handler at most, most of the time
	CloseTimeout time.Duration
	Storms       []Storm
}

// Storm is some faults, and a time without any after them.
type Storm struct {
	Strikes []Strike // in the order in which they begin
}

// Strike is one fault at a time.
type Strike struct {
	Name   string
	Target string // a slot, or "server"
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
	fmt.Fprintf(&b, "seed %d: %d members at first, MaxInFlight %v, CloseTimeout %v, handlers take up to %v; %d publishers with %d keys, a message of each every %v\n",
		p.Seed, p.First, p.MaxInFlight, p.CloseTimeout, p.Takes, p.Publishers, p.Keys, p.Every)
	for i, storm := range p.Storms {
		fmt.Fprintf(&b, "  storm %d\n", i+1)
		for _, s := range storm.Strikes {
			fmt.Fprintf(&b, "    %v\n", s)
		}
	}
	return b.String()
}

// topic is what its messages are published to.
func (p Plan) topic() string { return fmt.Sprintf("partitions-%d", p.Seed) }

// Faults are the names of its faults, in their order.
func (p Plan) Faults() []string {
	var names []string
	for _, storm := range p.Storms {
		for _, s := range storm.Strikes {
			names = append(names, s.Name)
		}
	}
	return names
}

func (s Strike) String() string {
	return fmt.Sprintf("%v to %v: %s at %s %+v",
		s.At.Round(time.Millisecond), (s.At + s.For).Round(time.Millisecond), s.Name, s.Target, s.fault)
}

func memberName(i int) string { return fmt.Sprintf("member-%d", i+1) }

func publisherName(i int) string { return fmt.Sprintf("publisher-%d", i+1) }
