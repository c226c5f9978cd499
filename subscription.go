package redisstream

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
)

const (
	// handlerGrace is how long handlers may still settle their messages after
	// their contexts have ended; at most as long as they had before that.
	handlerGrace = time.Second
	// farewellTime bounds what is told to Redis at the end.
	farewellTime = 1800 * time.Millisecond
)

// subscription is one call of Subscribe. It owns every goroutine and channel of
// it, and stops them in the order in which entries flow:
//
//	stop fetching → release what waits → let the caller finish → end the
//	messages' contexts → settle what is left → send the acks → release the rest
//	and leave the group
//
// To stop fetching is not to stop working: the two have contexts of their own.
type subscription struct {
	closeTimeout time.Duration
	log          logger
	free         func() // gives back what was reserved

	ledger     *ledger
	reader     *reader
	dispatcher *dispatcher
	giveUp     chan struct{}
	backing    backing
	// empties: what was read has to be handed out before the end, as nobody else can
	// have it.
	empties bool
}

// backing is what a subscription has on the server, besides the stream that it reads.
type backing interface {
	// fetch starts what finds work.
	fetch(stop context.Context, wg *sync.WaitGroup)
	// keep starts what looks after the entries that are ours.
	keep(work context.Context)
	// releaseBuffer gives back what nobody has seen, while others still work.
	releaseBuffer(ctx context.Context)
	// flush sends the last acks, as far as Redis takes them until ctx ends.
	flush(ctx context.Context)
	// leave gives back all that is still ours. It may be called again.
	leave(ctx context.Context)
	// free is the last that is done.
	free(ctx context.Context)
}

// unbacked is the backing of a subscription without a group.
type unbacked struct{}

func (unbacked) fetch(context.Context, *sync.WaitGroup) {}
func (unbacked) keep(context.Context)                   {}
func (unbacked) releaseBuffer(context.Context)          {}
func (unbacked) flush(context.Context)                  {}
func (unbacked) leave(context.Context)                  {}
func (unbacked) free(context.Context)                   {}

// run works until stop ends, and then stops in order.
func (s *subscription) run(stop context.Context) {
	work, endWork := context.WithCancelCause(context.WithoutCancel(stop))
	defer endWork(errDrained)

	var fetching sync.WaitGroup
	fetching.Go(func() {
		defer s.free()
		s.reader.run(stop)
	})
	s.backing.fetch(stop, &fetching)
	s.backing.keep(work)
	handing, endHanding := context.WithCancel(work)
	defer endHanding()
	handed := s.handOut(stop, handing)

	<-stop.Done()
	s.log.Debug("Subscription is ending", watermill.LogFields{"cause": context.Cause(stop).Error()})
	go s.reader.stop(work)
	var releasing sync.WaitGroup
	releasing.Go(func() { s.releaseBuffer(handing) })
	s.drain(handed, context.Cause(stop))
	endHanding()
	<-handed
	releasing.Wait()

	budget, cancel := context.WithTimeout(work, farewellTime)
	defer cancel()
	s.backing.flush(budget)
	s.leave(budget, &fetching)
	s.log.Debug("Subscription has ended", nil)
}

// releaseBuffer gives back what waits, and once more what the last read brings.
func (s *subscription) releaseBuffer(ctx context.Context) {
	s.backing.releaseBuffer(ctx)
	select {
	case <-s.reader.done:
		s.backing.releaseBuffer(ctx)
	case <-ctx.Done():
	}
}

// leave gives back what is left. A read that does not end, as on a connection
// that is dead, must not keep us from that: it is repeated if the read ends later.
func (s *subscription) leave(budget context.Context, fetching *sync.WaitGroup) {
	patience, cancel := context.WithTimeout(budget, farewellTime/4)
	defer cancel()
	ended := waitFor(patience, fetching)
	s.backing.leave(budget)
	if !ended && waitFor(budget, fetching) {
		s.backing.leave(budget)
	}
	s.backing.free(budget)
}

// handOut starts the dispatcher. The channel it returns is closed when all that
// was handed out is settled.
func (s *subscription) handOut(stop, work context.Context) <-chan struct{} {
	handed := make(chan struct{})
	until := stop
	if s.empties {
		until = s.untilEmpty(stop, work)
	}
	go func() {
		defer close(handed)
		s.dispatcher.run(until, work)
	}()
	return handed
}

// untilEmpty returns a context that ends some time after stop: when all that was
// read has been handed out and settled, or after the close timeout. With delivery
// at most once nobody else can have it.
func (s *subscription) untilEmpty(stop, work context.Context) context.Context {
	until, cancel := context.WithCancel(work)
	context.AfterFunc(stop, func() {
		defer cancel()
		deadline, cancel := context.WithTimeout(work, s.closeTimeout)
		defer cancel()
		select {
		case <-s.reader.done:
		case <-deadline.Done():
		}
		for held := s.ledger.size(); held > 0 && pause(deadline, 10*time.Millisecond); {
			held = s.ledger.size()
		}
		if lost := s.ledger.neverHandedOut(); lost > 0 {
			s.log.Error("Dropped messages that nobody took in time, because delivery is at most once", nil, watermill.LogFields{"messages": lost})
		}
	})
	return until
}

// drain lets the caller finish what it has, for a time.
func (s *subscription) drain(handed <-chan struct{}, cause error) {
	timer := time.NewTimer(s.closeTimeout)
	defer timer.Stop()
	select {
	case <-handed:
		return
	case <-timer.C:
	}
	if !errors.Is(cause, ErrPartitionLost) { // all others end with the subscriber, as far as a handler is concerned
		cause = ErrSubscriberClosed
	}
	for _, d := range s.ledger.deliveriesInFlight() {
		d.ctx.end(cause)
	}
	timer.Reset(min(handlerGrace, s.closeTimeout))
	select {
	case <-handed:
		return
	case <-timer.C:
	}
	s.abandon()
}

// abandon ends the wait for handlers.
func (s *subscription) abandon() {
	close(s.giveUp)
	s.ledger.nackAll() // wakes those who attend to it
}

// waitFor waits for a group of goroutines, and reports false if ctx ended first.
func waitFor(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
