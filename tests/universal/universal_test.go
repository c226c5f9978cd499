package universal_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestPubSub(t *testing.T) {
	t.Parallel()
	for name, p := range profiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.AppendOnly("everysec"))
			one, ofGroup := p.constructors(server)
			tests.TestPubSub(t, p.features, one, ofGroup)
		})
	}
}
