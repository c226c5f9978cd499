package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// card is a fault that a plan may draw.
type card struct {
	name        string
	least, most time.Duration // how long it lasts
	hits        place
	target      func(r *rand.Rand, p Plan) string
	make        func(r *rand.Rand, target string, length time.Duration) fault
}

// place is what a fault hits.
type place int

const (
	aMachine place = iota // a process and not its connections
	aLine                 // between a process and the server
	theHub                // the server; such faults come one after the other
)

const ms = time.Millisecond

// catalog are all faults. See the package's comment for how each is made.
func catalog() []card {
	cards := processCards()
	cards = append(cards, networkCards()...)
	cards = append(cards, serverCards()...)
	return append(cards, dataCards()...)
}

func processCards() []card {
	return []card{
		{"kill consumer", 50 * ms, 900 * ms, aMachine, aConsumer, func(_ *rand.Rand, t string, _ time.Duration) fault { return kill{t} }},
		{"terminate consumer", 10 * ms, 500 * ms, aMachine, aConsumer, func(_ *rand.Rand, t string, _ time.Duration) fault { return terminate{t} }},
		{"pause consumer", minIdle + 300*ms, 2 * minIdle, aMachine, aConsumer, func(_ *rand.Rand, t string, _ time.Duration) fault { return pause{t} }},
		{"kill publisher", 50 * ms, 500 * ms, aMachine, aPublisher, func(_ *rand.Rand, t string, _ time.Duration) fault { return kill{t} }},
		{"terminate publisher", 10 * ms, 300 * ms, aMachine, aPublisher, func(_ *rand.Rand, t string, _ time.Duration) fault { return terminate{t} }},
		{"pause publisher", 200 * ms, 1500 * ms, aMachine, aPublisher, func(_ *rand.Rand, t string, _ time.Duration) fault { return pause{t} }},
		{history.ClockJump, 200 * ms, 2000 * ms, aMachine, aConsumer, newClockJump},
	}
}

func networkCards() []card {
	return []card{
		{"connection reset", 0, 0, aLine, aProcess, func(_ *rand.Rand, t string, _ time.Duration) fault { return reset{t} }},
		{"half-open connection", 500 * ms, 2500 * ms, aLine, aConsumer, newHalfOpen},
		{"latency", 300 * ms, 1500 * ms, aLine, aProcess, newLatency},
		{"narrow line", 300 * ms, 1500 * ms, aLine, aProcess, newNarrow},
		{"black hole", 300 * ms, 2 * minIdle, aLine, aProcess, func(_ *rand.Rand, t string, _ time.Duration) fault { return blackHole{t} }},
		{"refused connections", 200 * ms, 2 * minIdle, aLine, aProcess, func(_ *rand.Rand, t string, _ time.Duration) fault { return refusal{t} }},
	}
}

func serverCards() []card {
	return []card{
		{"kill server", 50 * ms, 1000 * ms, theHub, theServer, func(*rand.Rand, string, time.Duration) fault { return killServer{} }},
		{"pause server", 200 * ms, minIdle - 300*ms, theHub, theServer, func(*rand.Rand, string, time.Duration) fault { return pauseServer{} }},
		{"pause server for long", minIdle + 200*ms, 2 * minIdle, theHub, theServer, func(*rand.Rand, string, time.Duration) fault { return pauseServer{} }},
		{"slow disk", 300 * ms, 1500 * ms, theHub, theServer, newSlowDisk},
		{"no memory", 200 * ms, 1200 * ms, theHub, theServer, func(*rand.Rand, string, time.Duration) fault { return noMemory{} }},
		{"rights revoked", 200 * ms, 1200 * ms, theHub, theServer, newRevocation},
		{"CLIENT KILL", 0, 0, theHub, theServer, func(*rand.Rand, string, time.Duration) fault { return clientKill{} }},
		{"CLIENT PAUSE", 200 * ms, 1500 * ms, theHub, theServer, newClientPause},
		{"SCRIPT FLUSH", 0, 0, theHub, theServer, func(*rand.Rand, string, time.Duration) fault { return scriptFlush{} }},
	}
}

func dataCards() []card {
	return []card{
		{"FLUSHALL", 0, 0, theHub, theServer, func(*rand.Rand, string, time.Duration) fault { return flush{} }},
		{"XGROUP DESTROY", 0, 0, theHub, aGroup, func(_ *rand.Rand, t string, _ time.Duration) fault { return destroyGroup{t} }},
		{"XTRIM", 0, 0, theHub, aGroup, func(_ *rand.Rand, t string, _ time.Duration) fault { return trim{t} }},
	}
}

func theServer(*rand.Rand, Plan) string { return history.Server }

func aGroup(r *rand.Rand, p Plan) string { return p.Groups[r.IntN(len(p.Groups))].Group }

// aConsumer is never a fan-out subscription: one that ends has no position to go on from, so
// nothing could be said of it.
func aConsumer(r *rand.Rand, p Plan) string {
	m := p.Groups[r.IntN(len(p.Groups))]
	return consumerName(m.Group, r.IntN(m.Count))
}

func aPublisher(r *rand.Rand, p Plan) string { return publisherName(r.IntN(p.Publishers)) }

// aProcess may be a fan-out subscription too: no network ends it.
func aProcess(r *rand.Rand, p Plan) string {
	switch r.IntN(4) {
	case 0:
		return aPublisher(r, p)
	case 1:
		if len(p.FanOut) > 0 {
			return consumerName("", 0)
		}
	default:
	}
	return aConsumer(r, p)
}

func publisherName(i int) string { return fmt.Sprintf("publisher-%d", i+1) }

func consumerName(group string, i int) string {
	if group == "" {
		return fmt.Sprintf("fan-out-%d", i+1)
	}
	return fmt.Sprintf("%s-consumer-%d", group, i+1)
}
