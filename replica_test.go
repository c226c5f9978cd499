package redisstream_test

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// newPair is a master and a replica that has what it has.
func newPair(tb testing.TB, opts ...redistest.Option) (master, replica *redistest.Server) {
	tb.Helper()
	opts = append(opts, redistest.Config("repl-diskless-sync-delay", "0"))
	master = redistest.Start(tb, opts...)
	replica = redistest.Start(tb, append(opts, redistest.Config("replicaof", "127.0.0.1 "+strconv.Itoa(master.Port())))...)
	eventually(tb, 30*time.Second, func() bool {
		return strings.Contains(text(tb, replica, "INFO", "replication"), "master_link_status:up")
	}, "the replica has what its master has")
	// The master counts it when it has acknowledged that, up to a second later.
	eventually(tb, 30*time.Second, func() bool { return master.Do(tb, "WAIT", "1", "1000") == int64(1) }, "it counts")
	master.Do(tb, "CONFIG", "RESETSTAT")
	return master, replica
}

// leaveBehind has a replica miss what its master gets from now on, also when it
// is resumed: it is not the master's any more.
func leaveBehind(tb testing.TB, master, replica *redistest.Server) {
	tb.Helper()
	replica.Pause(tb)
	master.Do(tb, "CLIENT", "KILL", "TYPE", "replica")
}

// waits is how often a server was asked to wait for others.
func waits(tb testing.TB, server *redistest.Server) int {
	tb.Helper()
	found := regexp.MustCompile(`cmdstat_wait:calls=(\d+)`).FindStringSubmatch(text(tb, server, "INFO", "commandstats"))
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	require.NoError(tb, err)
	return n
}

// canWaitForFiles reports whether a server has WAITAOF.
func canWaitForFiles(tb testing.TB, server *redistest.Server) bool {
	tb.Helper()
	reply, err := server.TryDo(context.Background(), "WAITAOF", "0", "0", "1")
	return err == nil && reply != nil
}

// text is a reply that is a string.
func text(tb testing.TB, server *redistest.Server, args ...string) string {
	tb.Helper()
	reply, ok := server.Do(tb, args...).(string)
	require.True(tb, ok)
	return reply
}
