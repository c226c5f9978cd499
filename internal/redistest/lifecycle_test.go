package redistest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

func TestPausedServerIsSilentUntilResumed(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Pause(t)
	require.ErrorIs(t, s.Ping(briefly(t, 200*time.Millisecond)), context.DeadlineExceeded)
	s.Resume(t)
	require.NoError(t, s.Ping(briefly(t, 5*time.Second)))
}

//nolint:tparallel // the test looks at what is left of its subtest
func TestPauseEndsWithTheTest(t *testing.T) {
	t.Parallel()
	s := Start(t)
	t.Run("life", func(t *testing.T) {
		s.Pause(t)
	})
	require.NoError(t, s.Ping(briefly(t, 5*time.Second)))
}

func TestKillKeepsWhatIsAppended(t *testing.T) {
	t.Parallel()
	s := Start(t, AppendOnly("always"))
	port := s.Port()
	s.Do(t, "SET", "k", "v")
	s.Kill(t)
	require.ErrorContains(t, s.Ping(briefly(t, time.Second)), "refused")
	s.Restart(t)
	require.Equal(t, "v", s.Do(t, "GET", "k"))
	require.Equal(t, port, s.Port())
}

func TestKillLosesTheRest(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Do(t, "SET", "k", "v")
	s.Kill(t)
	s.Restart(t)
	require.Nil(t, s.Do(t, "GET", "k"))
}

func TestShutdownEndsAPausedServer(t *testing.T) {
	t.Parallel()
	s := Start(t, AppendOnly("everysec"))
	s.Do(t, "SET", "k", "v")
	s.Pause(t)
	s.Shutdown(t)
	s.Restart(t)
	require.Equal(t, "v", s.Do(t, "GET", "k"))
}

func TestRestartReplacesARunningServer(t *testing.T) {
	t.Parallel()
	s := Start(t)
	before := runID(t, s)
	s.Restart(t)
	require.NotEqual(t, before, runID(t, s))
}

func TestRestartWaitsForTheData(t *testing.T) {
	t.Parallel()
	s := Start(t, AppendOnly("everysec"), Config("key-load-delay", "100")) // 100 us a key
	s.Do(t, "EVAL", "for i = 1, 5000 do redis.call('SET', i, i) end", "0")
	s.Shutdown(t)
	s.Restart(t)
	require.Equal(t, int64(5000), s.Do(t, "DBSIZE"))
}

func TestDeadServerTakesNoSignal(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Kill(t)
	for _, f := range []func(testing.TB){s.Pause, s.Resume, s.Kill, s.Shutdown} {
		require.Equal(t, errNotRunning.Error(), fatalOf(t, f))
	}
}

func TestCrashedServerLeavesNoPid(t *testing.T) {
	t.Parallel()
	s := Start(t)
	_, err := s.TryDo(briefly(t, 5*time.Second), "SHUTDOWN", "NOSAVE")
	require.Error(t, err)
	eventually(t, "the pid is forgotten", func() bool { _, err := s.pid.read(); return err != nil })
	s.Restart(t)
}

func TestClientReconnectsAfterRestart(t *testing.T) {
	t.Parallel()
	s := Start(t)
	c := s.Client(t, func(o *rueidis.ClientOption) { o.ClientName = "chosen" })
	require.NoError(t, ping(t, c))
	require.Contains(t, s.Do(t, "CLIENT", "LIST"), "name=chosen")
	s.Restart(t)
	eventually(t, "the client is back", func() bool {
		return ping(t, c) == nil
	})
}

func runID(t *testing.T, s *Server) string {
	t.Helper()
	info, ok := s.Do(t, "INFO", "server").(string)
	require.True(t, ok)
	_, rest, _ := strings.Cut(info, "run_id:")
	id, _, found := strings.Cut(rest, "\r\n")
	require.True(t, found)
	return id
}

func ping(t *testing.T, c rueidis.Client) error {
	t.Helper()
	return c.Do(t.Context(), c.B().Ping().Build()).Error() //nolint:forbidigo // internal/xstream is tested with this package
}
