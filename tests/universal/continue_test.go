package universal_test

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// TestContinueAfterSubscribeCloseWithoutDuplicates is the suite's test of the
// same name, made strict: subscribers that come and go, each closed with a full
// buffer, hand out every message exactly once and in order.
func TestContinueAfterSubscribeCloseWithoutDuplicates(t *testing.T) {
	t.Parallel()
	const total, cycles = 5000, 20
	p := profiles()["A"]
	on := deploy(t, redistest.AppendOnly("everysec"))(t)
	publisher, _ := p.pubSub(t, on, p.group())
	topic := "topic-continue-" + watermill.NewShortUUID()
	messages := make([]*message.Message, total)
	want := make([]string, total)
	for i := range messages {
		want[i] = watermill.NewUUID()
		messages[i] = message.NewMessage(want[i], nil)
	}
	require.NoError(t, publisher.Publish(topic, messages...))

	var got []string
	for range cycles {
		got = append(got, readAndClose(t, p, on, topic, total/cycles)...)
	}
	require.Equal(t, want, got)
}

// readAndClose acks n messages with a subscriber of its own and closes it.
func readAndClose(t *testing.T, p profile, on site, topic string, n int) []string {
	t.Helper()
	_, subscriber := p.pubSub(t, on, p.group())
	out, err := subscriber.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	var got []string
	for range n {
		select {
		case msg := <-out:
			got = append(got, msg.UUID)
			require.True(t, msg.Ack())
		case <-time.After(15 * time.Second):
			require.FailNow(t, "no message came", "after %d", len(got))
		}
	}
	require.NoError(t, subscriber.Close())
	return got
}
