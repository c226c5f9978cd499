package redisstream_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// What Publish has returned nil for is there after a failover, which may lose the rest.
func TestFailoverLosesNothingDurable(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]redisstream.Durability{"durable": oneReplica, "not": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			master, replica := newPair(t)
			publisher := durablePublisher(t, master.Client(t), d)
			done := &doneBook{}
			var work sync.WaitGroup
			for range 8 {
				work.Go(func() {
					for {
						msg := newMessages(1)[0]
						switch err := publisher.Publish("orders", msg); {
						case err == nil:
							done.note(msg)
						case !errors.Is(err, redisstream.ErrNotDurable):
							return // the master is gone
						}
					}
				})
			}
			eventually(t, healTime, func() bool { return done.count() > 200 }, "it works")
			leaveBehind(t, master, replica)
			n := length(t, master, "orders")
			eventually(t, healTime, func() bool { return length(t, master, "orders") > n+16 }, "it works on")
			master.Kill(t)
			work.Wait()
			replica.Resume(t)
			replica.Do(t, "REPLICAOF", "NO", "ONE")
			lost := done.missing(t, fieldsAt(t, replica, "orders"))
			if name == "durable" {
				require.Zero(t, lost)
			} else {
				require.Positive(t, lost, "it would lose something, or the test shows nothing")
			}
		})
	}
}

// doneBook are the messages that Publish has returned nil for.
type doneBook struct {
	mu    sync.Mutex
	uuids []string
}

func (b *doneBook) note(msgs ...*message.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, msg := range msgs {
		b.uuids = append(b.uuids, msg.UUID)
	}
}

func (b *doneBook) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.uuids)
}

// missing is how many of them are not among what is stored.
func (b *doneBook) missing(tb testing.TB, stored [][]string) int {
	tb.Helper()
	there := map[string]bool{}
	for _, fields := range stored {
		there[fields[1]] = true
	}
	missing := 0
	for _, uuid := range b.uuids {
		if !there[uuid] {
			missing++
		}
	}
	return missing
}
