//go:build stress

package universal_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// TestPubSubStress runs the suite many times at once against one server.
func TestPubSubStress(t *testing.T) {
	start := deploy(t, redistest.AppendOnly("everysec"))
	for name, p := range profiles() {
		t.Run(name, func(t *testing.T) {
			one, ofGroup := p.constructors(start(t))
			tests.TestPubSubStressTest(t, p.features, one, ofGroup)
		})
	}
}
