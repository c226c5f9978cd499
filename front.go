package redisstream

import (
	"sync"
	"time"
)

const (
	// frontMost is how many messages may have been handed out after one for which no
	// goroutine waits.
	frontMost = 32
	// frontPatience is for how long an ack may go unnoticed.
	frontPatience = time.Millisecond
)

// front looks after messages that were just handed out. A fast handler has acked its
// message before a few more are out, and a goroutine that waits for it would cost more
// than all else that becomes of the message. Whoever takes longer gets one. It is
// for one goroutine; nil is for those that have none.
type front struct {
	attend func(*entry, *delivery) // waits until a message is settled
	acked  func(*entry, *delivery)

	attending sync.WaitGroup
	recent    []handOut // in the order of their hand-outs
	patience  timeout   // of those who wait for an ack among them
}

// handOut is an entry and the message that was made of it.
type handOut struct {
	entry *entry
	sent  *delivery
}

// add looks after a message.
func (f *front) add(e *entry, sent *delivery) {
	if len(f.recent) >= frontMost {
		f.send(f.first())
	}
	f.recent = append(f.recent, handOut{e, sent})
}

// collect settles what was acked, in the order of the hand-outs.
func (f *front) collect() {
	for len(f.recent) > 0 {
		if !f.recent[0].sent.isAcked() {
			return
		}
		h := f.first()
		f.acked(h.entry, h.sent)
	}
}

// first takes the first one away.
func (f *front) first() handOut {
	h := f.recent[0]
	f.recent[0] = handOut{} // the message may be large
	f.recent = f.recent[1:]
	return h
}

// entrust gives the messages to goroutines. It has to come before anything that takes
// time.
func (f *front) entrust() {
	if f == nil {
		return
	}
	f.patience.over()
	for _, h := range f.recent {
		f.send(h)
	}
	clear(f.recent)
	f.recent = f.recent[:0]
}

func (f *front) send(h handOut) { f.away(func() { f.attend(h.entry, h.sent) }) }

// away runs something in a goroutine that close waits for.
func (f *front) away(work func()) { f.attending.Go(work) }

// tired ends a wait during which nobody looks at the messages.
func (f *front) tired() <-chan time.Time {
	if f == nil || len(f.recent) == 0 {
		return nil
	}
	f.patience.start(frontPatience)
	return f.patience.passed()
}

// close waits until everything is settled.
func (f *front) close() {
	f.entrust()
	f.patience.stop()
	f.attending.Wait()
}
