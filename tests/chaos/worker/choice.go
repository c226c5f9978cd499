package main

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// choice is what a handler is going to do with a message.
type choice struct {
	kill     bool
	stubborn bool // it goes on when its context ends
	takes    time.Duration
	settle   history.Kind
	after    time.Duration // for Postponing
}

// choose is random, but the same for the same delivery of a round, whoever gets it: what a
// handler does must not depend on which goroutine is faster.
func choose(t task.Task, mood task.Mood, uuid string, deliveries int64) choice {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(uuid))
	r := rand.New(rand.NewPCG(t.Seed, hash.Sum64()+uint64(deliveries)))
	c := choice{takes: t.Consumer.Takes + duration(t, r), stubborn: r.IntN(3) == 0, settle: history.Acking}
	switch {
	case mood == task.Last:
		c.takes = 0
	case mood == task.Killer && t.Consumer.Group != "": // without a group nobody would remember
		c.kill = true
	case mood == task.Poison && t.Consumer.MaxDeliveries > 0: // without a limit it would never end
		c.settle = history.Nacking
	default:
		c.settle = settlement(r)
		c.after = between(r, 20*time.Millisecond, 300*time.Millisecond)
	}
	return c
}

// duration is short for most messages, and for some longer than a consumer may be silent.
func duration(t task.Task, r *rand.Rand) time.Duration {
	switch n := r.IntN(1000); {
	case n < 3:
		return between(r, t.Consumer.MinIdle, 3*t.Consumer.MinIdle/2)
	case n < 10:
		return between(r, 100*time.Millisecond, 400*time.Millisecond)
	case n < 40:
		return between(r, 5*time.Millisecond, 40*time.Millisecond)
	default:
		return between(r, 0, 3*time.Millisecond)
	}
}

func settlement(r *rand.Rand) history.Kind {
	switch n := r.IntN(200); {
	case n < 8:
		return history.Nacking
	case n < 11:
		return history.Postponing
	case n < 12:
		return history.Rejecting
	case n < 13:
		return history.Dropping
	default:
		return history.Acking
	}
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}
