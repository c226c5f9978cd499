//go:build !race

package universal_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// TestReconnect kills the server twice under load and starts it again. The
// suite's own test has a data race, so it can't run with the race detector. The
// server syncs each command to disk: it would lose what it has acknowledged
// otherwise, and the test counts messages.
func TestReconnect(t *testing.T) {
	t.Parallel()
	p := profiles()["A"]
	server := redistest.Start(t, redistest.AppendOnly("always"))
	p.features.RestartServiceCommand = server.RestartCommand(t)
	one, _ := p.constructors(server)
	tests.TestReconnect(t, tests.TestContext{TestID: tests.TestID(watermill.NewUUID()), Features: p.features}, one)
}
