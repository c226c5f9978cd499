package redisstream_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Old messages that always fail want more than there is time for.
func TestReturnedMessagesDoNotKeepNewOnesWaiting(t *testing.T) {
	t.Parallel()
	const bad, good = 40, 10
	for name, inFlight := range map[string]int{"one at a time": 1, "several": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publisher := newPublisher(t, shared.Client(t))
			publish(t, publisher, topic, bad)
			config := returning(500 * time.Millisecond)
			config.MaxInFlight = inFlight
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			wanted := map[string]bool{}
			counts := map[string]int{}
			deadline := time.After(time.Minute) // they would never come
			for acked := 0; acked < good; {
				select {
				case msg := <-out:
					if wanted[msg.UUID] {
						require.True(t, msg.Ack())
						acked++
						continue
					}
					counts[msg.UUID]++
					if len(counts) == bad && len(wanted) == 0 {
						for _, uuid := range publish(t, publisher, topic, good) {
							wanted[uuid] = true
						}
					}
					<-time.After(50 * time.Millisecond) // what its handler takes
					require.True(t, msg.Nack())
				case <-deadline:
					require.FailNow(t, "the new ones have not come", "%d of %d old ones were seen, %d new ones acked", len(counts), bad, acked)
				}
			}
		})
	}
}
