package xstream

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// shared is a server for tests that neither stop it nor empty it. Each uses keys
// of its own.
var shared *redistest.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	server, err := redistest.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	shared = server
	code := m.Run()
	server.Stop()
	// A closed client of a cluster looks at it for the last time when it has slept.
	asleep := goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2")
	aside := goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1")
	if err := goleak.Find(asleep, aside); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
