//go:build stress

package universal_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// TestPubSubStress runs the suite many times at once against one server.
func TestPubSubStress(t *testing.T) {
	for name, p := range profiles() {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t, redistest.AppendOnly("everysec"))
			tests.TestPubSubStressTest(t, p.features,
				func(t *testing.T) (message.Publisher, message.Subscriber) { return p.pubSub(t, server, p.group()) },
				func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
					return p.pubSub(t, server, group)
				},
			)
		})
	}
}
