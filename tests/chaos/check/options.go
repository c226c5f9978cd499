package check

import "time"

// Options are what the plan of a round promised, and how much time things take on
// the machine. The zero value of a time is its default.
type Options struct {
	Groups []Group

	MinIdle      time.Duration // of all subscribers. Default: 30 s, as in the library
	CloseTimeout time.Duration // of all subscribers. Default: 10 s, as in the library

	// NoTrouble are the names of faults that keep no process from its work, or that
	// other events tell of.
	NoTrouble []string

	// Refusals are the names of faults in which the server refuses single commands,
	// also in the middle of a script.
	Refusals []string

	// LiveBound is how long after Quiet everything has to be settled. Default:
	// 2 MinIdle and 20 s.
	LiveBound time.Duration
	// Slack is by how much a busy machine may be late. Default: 250 ms.
	Slack time.Duration
	// AckTime is how long the answer to an ack takes at most while no fault is in
	// the way. Default: 1 s.
	AckTime time.Duration
	// Recovery is how long after a fault a process works as if there had been none:
	// it has connected again, and has sent what waited. Default: 5 s.
	Recovery time.Duration
	// GroupLoss is how long before a group is destroyed the members may have last
	// seen where it stood. Default: 3 s, the documented two and a sweep.
	GroupLoss time.Duration
}

// Group is what is promised to the subscribers of a topic in one group, or to those
// without a group when Name is empty.
type Group struct {
	Topic string
	Name  string

	MaxInFlight   int // default: 1
	MaxDeliveries int // 0 = no limit
	ReturnToGroup bool
	MaxLease      time.Duration // 0 = no limit
}

func (o Options) withDefaults() Options {
	orDefault(&o.MinIdle, 30*time.Second)
	orDefault(&o.CloseTimeout, 10*time.Second)
	orDefault(&o.LiveBound, 2*o.MinIdle+20*time.Second)
	orDefault(&o.Slack, 250*time.Millisecond)
	orDefault(&o.AckTime, time.Second)
	orDefault(&o.Recovery, 5*time.Second)
	orDefault(&o.GroupLoss, 3*time.Second)
	return o
}

func orDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// leaseMargin is how long a process may be unable to renew before anything that it
// has may be taken by others: renewals come when two thirds of MinIdle are left, and
// up to a beat later.
func (o Options) leaseMargin() int64 {
	beat := min(o.MinIdle/6, 500*time.Millisecond)
	return int64(o.MinIdle*2/3 - beat - o.Slack)
}

// closeGrace is how long after it was asked to end a subscription gives up what its
// handlers have.
func (o Options) closeGrace() int64 {
	return int64(o.CloseTimeout + min(time.Second, o.CloseTimeout) - o.Slack)
}

// group is what was promised to an audience.
func (o Options) group(a audience) Group {
	for _, g := range o.Groups {
		if g.Topic == a.topic && g.Name == a.group {
			g.MaxInFlight = max(g.MaxInFlight, 1)
			return g
		}
	}
	return Group{Topic: a.topic, Name: a.group, MaxInFlight: 1}
}
