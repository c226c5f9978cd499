package main

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// choice is what a handler is going to do with a message.
type choice struct {
	stubborn bool // it goes on when its context ends
	takes    time.Duration
	settle   history.Kind
}

// choose is random, but the same for the same delivery of a process, whichever goroutine is
// faster.
func choose(t task.Task, uuid string, deliveries int64) choice {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(uuid))
	r := rand.New(rand.NewPCG(t.Seed, hash.Sum64()+uint64(deliveries)))
	c := choice{takes: duration(t, r), stubborn: r.IntN(3) == 0, settle: history.Acking}
	if r.IntN(40) == 0 {
		c.settle = history.Nacking
	}
	return c
}

// duration is short for most messages, and for some longer than a lease.
func duration(t task.Task, r *rand.Rand) time.Duration {
	switch n := r.IntN(1000); {
	case n < 3:
		return between(r, t.Member.LeaseTTL, 3*t.Member.LeaseTTL/2)
	case n < 15:
		return between(r, 100*time.Millisecond, 400*time.Millisecond)
	case n < 60:
		return between(r, 5*time.Millisecond, 60*time.Millisecond)
	default:
		return between(r, 0, t.Member.Takes)
	}
}

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}
