package redisstream

import (
	"context"
	"sync"
)

// running is what Subscribe has started: a subscription, or what stands for several.
type running interface {
	// run works until stop ends, and then stops in order.
	run(stop context.Context)
}

// together are subscriptions that run at the same time.
type together []*subscription

func (t together) run(stop context.Context) {
	var all sync.WaitGroup
	for _, sub := range t {
		all.Go(func() { sub.run(stop) })
	}
	all.Wait()
}

func (t together) free() {
	for _, sub := range t {
		sub.free()
	}
}
