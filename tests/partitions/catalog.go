package partitions

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// card is a fault that a plan may draw.
type card struct {
	name        string
	least, most time.Duration // how long it lasts
	hits        place
	make        func(r *rand.Rand, target string) fault
}

// place is what a fault hits.
type place int

const (
	aVacancy place = iota // a slot without a member
	aMember               // a member, which is gone afterwards
	aMachine              // a member, and not its connections
	aLine                 // between a process and the server
	aPath                 // the same, and other faults may hit it meanwhile
	theHub                // the server
	aMoment               // the server, and it does not matter what else hits it
)

const ms = time.Millisecond

// Names of faults that are events of their own in the history.
const pauseMember = "pause member"

// catalog are all faults. Some come more than once, and so are drawn more often.
func catalog() []card { return append(memberCards(), otherCards()...) }

func memberCards() []card {
	return []card{
		{"join", 0, 0, aVacancy, func(_ *rand.Rand, t string) fault { return join{t} }},
		{"join", 0, 0, aVacancy, func(_ *rand.Rand, t string) fault { return join{t} }},
		{"leave", 0, 0, aMember, func(_ *rand.Rand, t string) fault { return leave{t, syscall.SIGTERM} }},
		{"kill member", 0, 0, aMember, func(_ *rand.Rand, t string) fault { return leave{t, syscall.SIGKILL} }},
		{pauseMember, 1500 * ms, 3000 * ms, aMachine, func(_ *rand.Rand, t string) fault { return pause{t} }},
		{pauseMember, 1500 * ms, 3000 * ms, aMachine, func(_ *rand.Rand, t string) fault { return pause{t} }},
		{"pause member shortly", 300 * ms, 1100 * ms, aMachine, func(_ *rand.Rand, t string) fault { return pause{t} }},
	}
}

func otherCards() []card {
	return []card{
		{"connection reset", 0, 0, aLine, func(_ *rand.Rand, t string) fault { return reset{t} }},
		{"black hole", 1200 * ms, 2500 * ms, aLine, func(_ *rand.Rand, t string) fault { return blackHole{t} }},
		{"black hole", 1200 * ms, 2500 * ms, aLine, func(_ *rand.Rand, t string) fault { return blackHole{t} }},
		{"black hole for a lease", 900 * ms, 1300 * ms, aLine, func(_ *rand.Rand, t string) fault { return blackHole{t} }},
		{"short black hole", 200 * ms, 900 * ms, aLine, func(_ *rand.Rand, t string) fault { return blackHole{t} }},
		{"latency", 600 * ms, 2500 * ms, aPath, newLatency},
		{"latency", 600 * ms, 2500 * ms, aPath, newLatency},
		{"slow line", 1500 * ms, 3000 * ms, aPath, newSlowLine},
		{"half-open connection", 500 * ms, 2500 * ms, aLine, newHalfOpen},
		{"refused connections", 200 * ms, 1500 * ms, aLine, func(_ *rand.Rand, t string) fault { return refusal{t} }},
		{"late reads", 0, 0, aMoment, func(*rand.Rand, string) fault { return lateReads{} }},
		{"late reads", 0, 0, aMoment, func(*rand.Rand, string) fault { return lateReads{} }},
		{"CLIENT KILL", 0, 0, aMoment, func(*rand.Rand, string) fault { return anyway{"CLIENT", "KILL", "TYPE", "normal"} }},
		{"SCRIPT FLUSH", 0, 0, aMoment, func(*rand.Rand, string) fault { return anyway{"SCRIPT", "FLUSH"} }},
		{"kill server", 50 * ms, 900 * ms, theHub, func(*rand.Rand, string) fault { return killServer{} }},
		{"pause server", 200 * ms, 800 * ms, theHub, func(*rand.Rand, string) fault { return pauseServer{} }},
		{"pause server for long", 1200 * ms, 2000 * ms, theHub, func(*rand.Rand, string) fault { return pauseServer{} }},
	}
}

// join starts a member.
type join struct{ Slot string }

func (f join) begin(s *stage) error { return s.slots[f.Slot].start() }
func (f join) end(*stage) error     { return nil }

// leave ends a member: SIGTERM, or kill -9.
type leave struct {
	Slot   string
	Signal syscall.Signal
}

func (f leave) begin(s *stage) error { return s.slots[f.Slot].stop(f.Signal) }
func (f leave) end(*stage) error     { return nil }

// pause is SIGSTOP: the process comes back and does not know that it was away.
type pause struct{ Slot string }

func (f pause) begin(s *stage) error { return s.slots[f.Slot].freeze() }
func (f pause) end(s *stage) error   { return s.slots[f.Slot].thaw() }

// reset closes all connections of a process.
type reset struct{ Slot string }

func (f reset) begin(s *stage) error { s.slots[f.Slot].proxy.Cut(); return nil }
func (f reset) end(*stage) error     { return nil }

// blackHole lets nothing through until it ends. What was sent meanwhile comes through then, also
// when its sender has given up: commands that are executed late.
type blackHole struct{ Slot string }

func (f blackHole) begin(s *stage) error { s.slots[f.Slot].proxy.Block(); return nil }
func (f blackHole) end(s *stage) error   { s.slots[f.Slot].proxy.Unblock(); return nil }

// latency makes each way longer. A command is under way for most of the time then, so that other
// faults find it there. A round trip takes less than the library waits.
type latency struct {
	Slot  string
	Delay time.Duration
}

func newLatency(r *rand.Rand, target string) fault { return latency{target, between(r, 10*ms, 70*ms)} }

// newSlowLine is a latency with which all answers come later than the library waits for them, and
// what it asks for is done all the same.
func newSlowLine(r *rand.Rand, target string) fault {
	return latency{target, between(r, 110*ms, 500*ms)}
}

func (f latency) begin(s *stage) error { s.slots[f.Slot].proxy.Delay(f.Delay); return nil }
func (f latency) end(s *stage) error   { s.slots[f.Slot].proxy.Delay(0); return nil }

// halfOpen makes black holes of the connections that were last used for a command. New ones
// work. In the end the other side says that it knows nothing of them.
type halfOpen struct{ Slot, Command string }

func newHalfOpen(r *rand.Rand, target string) fault {
	commands := []string{"XREADGROUP", "EVALSHA", "XPENDING"}
	return halfOpen{target, commands[r.IntN(len(commands))]}
}

func (f halfOpen) begin(s *stage) error { s.slots[f.Slot].proxy.Silence(f.Command); return nil }
func (f halfOpen) end(s *stage) error   { s.slots[f.Slot].proxy.Cut(); return nil }

// refusal cuts all connections and refuses new ones.
type refusal struct{ Slot string }

func (f refusal) begin(s *stage) error {
	s.slots[f.Slot].proxy.Refuse()
	s.slots[f.Slot].proxy.Cut()
	return nil
}

func (f refusal) end(s *stage) error { s.slots[f.Slot].proxy.Allow(); return nil }

// killServer is kill -9, and a start from the append-only file, to which each command is synced
// before its reply.
type killServer struct{}

func (killServer) begin(s *stage) error { s.server.Kill(s.tb); return nil }
func (killServer) end(s *stage) error   { s.server.Restart(s.tb); return nil }

// pauseServer is SIGSTOP: connections stay, and nobody answers.
type pauseServer struct{}

func (pauseServer) begin(s *stage) error { s.server.Pause(s.tb); return nil }
func (pauseServer) end(s *stage) error   { s.server.Resume(s.tb); return nil }

// lateReads are reads of new entries as an owner sends them, executed when another one may have
// the partition: they take entries away under the name of the partition's consumer. That is what
// a read does that was under way for long.
type lateReads struct{}

func (lateReads) begin(s *stage) error {
	for i := range task.Partitions {
		s.try("XREADGROUP", "GROUP", task.Group, fmt.Sprintf("p%d", i), "COUNT", "5", "STREAMS", s.stream(i), ">")
	}
	return nil
}

func (lateReads) end(*stage) error { return nil }

// anyway is a command of an operator, if the server is there.
type anyway []string

func (f anyway) begin(s *stage) error { s.try(f...); return nil }
func (anyway) end(*stage) error       { return nil }

// lane is what may have one fault at a time of a kind.
func (p place) lane(target string) string {
	switch p {
	case theHub:
		return history.Server
	case aLine:
		return target + " line"
	case aMoment:
		return "nothing"
	case aPath:
		return target + " path"
	default:
		return target
	}
}
