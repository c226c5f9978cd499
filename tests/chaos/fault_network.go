package chaos

import (
	"math/rand/v2"
	"time"
)

// reset closes all connections of a process.
type reset struct{ Process string }

func (f reset) begin(s *stage) error { s.slots[f.Process].proxy.Cut(); return nil }
func (f reset) end(*stage) error     { return nil }

// halfOpen makes black holes of the connections that were last used for a command. New ones
// work. In the end the other side says that it knows nothing of them.
type halfOpen struct {
	Process string
	Command string
}

func newHalfOpen(r *rand.Rand, target string, _ time.Duration) fault {
	commands := []string{"XREADGROUP", "XACK", "EVALSHA", "XPENDING"}
	return halfOpen{target, commands[r.IntN(len(commands))]}
}

func (f halfOpen) begin(s *stage) error { s.slots[f.Process].proxy.Silence(f.Command); return nil }
func (f halfOpen) end(s *stage) error   { s.slots[f.Process].proxy.Cut(); return nil }

// latency makes each way longer.
type latency struct {
	Process string
	Delay   time.Duration
}

func newLatency(r *rand.Rand, target string, _ time.Duration) fault {
	return latency{target, between(r, 10*ms, 200*ms)}
}

func (f latency) begin(s *stage) error { s.slots[f.Process].proxy.Delay(f.Delay); return nil }
func (f latency) end(s *stage) error   { s.slots[f.Process].proxy.Delay(0); return nil }

// narrow limits the bytes per second of each connection.
type narrow struct {
	Process string
	Bytes   int
}

func newNarrow(r *rand.Rand, target string, _ time.Duration) fault {
	return narrow{target, 1000 * (5 + r.IntN(50))}
}

func (f narrow) begin(s *stage) error { s.slots[f.Process].proxy.Limit(f.Bytes); return nil }
func (f narrow) end(s *stage) error   { s.slots[f.Process].proxy.Limit(0); return nil }

// blackHole lets nothing through, and says nothing about it.
type blackHole struct{ Process string }

func (f blackHole) begin(s *stage) error { s.slots[f.Process].proxy.Block(); return nil }
func (f blackHole) end(s *stage) error   { s.slots[f.Process].proxy.Unblock(); return nil }

// refusal cuts all connections and refuses new ones.
type refusal struct{ Process string }

func (f refusal) begin(s *stage) error {
	s.slots[f.Process].proxy.Refuse()
	s.slots[f.Process].proxy.Cut()
	return nil
}

func (f refusal) end(s *stage) error { s.slots[f.Process].proxy.Allow(); return nil }
