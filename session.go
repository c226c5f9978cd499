package redisstream

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
)

// session serves a partition that is ours.
type session struct {
	run      func(ctx context.Context) // until the partition is not ours any more
	end      func(cause error)         // has it given up
	isOver   func() bool               // reports whether it is not ours any more
	revoking bool
}

// serve has a subscription serve the partition.
func (h *holding) serve(ctx context.Context, sub *subscription, free, lost func()) *session {
	sub.free, sub.backing = free, h
	h.log, h.ledger = sub.log, sub.ledger
	h.source = &holdingSource{holding: h, ledger: sub.ledger, appetite: &appetite{}, log: sub.log}
	sub.reader = newReader(h.lease.Stream, h.source, sub.ledger, h.source.appetite, sub.log)
	h.nudge, sub.ledger.strict = sub.reader.interrupt, true
	h.settlers = settlers{
		acker:      newAcker(sub.ledger, h.ack, sub.log),
		undertaker: newUndertaker(h, sub.ledger, burial{topic: h.lease.Key, group: h.lease.Name, dead: h.dead}, sub.log),
	}
	d := sub.dispatcher
	d.log, d.holder, d.permit, d.acker, d.undertaker = sub.log, h, h, h.settlers.acker, h.settlers.undertaker
	stop, end := context.WithCancelCause(ctx)
	h.stop = func(cause error) {
		end(cause)
		lost()
	}
	return &session{
		run: func(ctx context.Context) {
			work, cancel := context.WithCancel(ctx)
			var keeping sync.WaitGroup
			keeping.Go(func() { h.keepLease(work) })
			if h.maxLease > 0 {
				keeping.Go(func() { h.watch(work) })
			}
			sub.log.Debug("Serving a partition", watermill.LogFields{"epoch": h.lease.Epoch})
			sub.run(stop)
			cancel()
			keeping.Wait()
		},
		end:    end,
		isOver: h.tenure.isOver,
	}
}
