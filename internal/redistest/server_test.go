package redistest

import (
	"net"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStartedServerAnswersAtItsAddress(t *testing.T) {
	t.Parallel()
	s := Start(t)
	require.NoError(t, s.Ping(briefly(t, time.Second)))
	host, port, err := net.SplitHostPort(s.Addr())
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", host)
	require.Equal(t, address(s.Port()), "127.0.0.1:"+port)
	require.Equal(t, "redis://"+s.Addr(), s.URL())
}

func TestServersAreApart(t *testing.T) {
	t.Parallel()
	var group sync.WaitGroup
	servers := make([]*Server, 8)
	for i := range servers {
		group.Go(func() { servers[i], _ = Run() })
	}
	group.Wait()
	ports := map[int]bool{}
	for _, s := range servers {
		require.NotNil(t, s)
		t.Cleanup(s.Stop)
		ports[s.Port()] = true
		require.Equal(t, int64(0), s.Do(t, "DBSIZE"))
		s.Do(t, "SET", "k", "v")
	}
	require.Len(t, ports, len(servers))
}

func TestServerStopsWithTheTest(t *testing.T) {
	t.Parallel()
	endings := map[string]func(*testing.T, *Server){
		"running":  func(*testing.T, *Server) {},
		"paused":   func(t *testing.T, s *Server) { t.Helper(); s.Pause(t) },
		"frozen":   func(t *testing.T, s *Server) { t.Helper(); require.NoError(t, s.signal(syscall.SIGSTOP)) },
		"killed":   func(t *testing.T, s *Server) { t.Helper(); s.Kill(t) },
		"ended":    func(t *testing.T, s *Server) { t.Helper(); s.Shutdown(t) },
		"stopped":  func(t *testing.T, s *Server) { t.Helper(); s.Stop() },
		"replaced": func(t *testing.T, s *Server) { t.Helper(); runCommand(t, s.RestartCommand(t)) },
	}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s *Server
			t.Run("life", func(t *testing.T) {
				s = Start(t)
				end(t, s)
			})
			require.ErrorContains(t, s.Ping(briefly(t, time.Second)), "refused")
			require.NoDirExists(t, s.dir)
		})
	}
}

func TestStartTellsAStrangerOnItsPort(t *testing.T) {
	t.Parallel()
	stranger, dir := Start(t), t.TempDir()
	s := &Server{
		binary: stranger.binary, dir: dir, port: stranger.port,
		settings: newSettings(nil), pid: pidFile(filepath.Join(dir, "pid")),
	}
	t.Cleanup(s.Stop)
	require.ErrorIs(t, s.launch(briefly(t, 10*time.Second)), errPortTaken)
	require.NoError(t, stranger.Ping(briefly(t, time.Second)))
}

func TestRestartWaitsForItsPort(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Kill(t)
	squatter, err := listenOn(t.Context(), s.Port())
	require.NoError(t, err)
	timer := time.AfterFunc(300*time.Millisecond, func() { _ = squatter.Close() })
	t.Cleanup(func() { timer.Stop() })
	s.Restart(t)
}

func TestStartFailsWithTheLog(t *testing.T) {
	t.Parallel()
	_, err := Run(Config("no-such-key", "1"))
	require.ErrorContains(t, err, "no-such-key")
	require.NotErrorIs(t, err, errPortTaken)
}

func TestStartFailsWithoutABinary(t *testing.T) {
	t.Setenv(serverVariable, "/nowhere/redis-server")
	text := fatalOf(t, func(tb testing.TB) {
		tb.Helper()
		Start(tb)
	})
	require.Contains(t, text, "apt-get install redis-server, or set "+serverVariable)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	s := Start(t,
		Config("maxmemory-policy", "noeviction"),
		Config("client-output-buffer-limit", "pubsub 1mb 0 0"),
		Config("port", "1"),
		AppendOnly("always"))
	for key, want := range map[string]string{"save": "", "appendonly": "yes", "appendfsync": "always", "loglevel": "warning"} {
		require.Equal(t, []any{key, want}, s.Do(t, "CONFIG", "GET", key))
	}
	require.NotEqual(t, 1, s.Port())
}
