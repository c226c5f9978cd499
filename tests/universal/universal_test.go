package universal_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestPubSub(t *testing.T) {
	t.Parallel()
	start := deploy(t, redistest.AppendOnly("everysec"))
	for name, p := range profiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, ofGroup := p.constructors(start(t))
			tests.TestPubSub(t, p.features, one, ofGroup)
		})
	}
}
