package redistest

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ownerVariable makes the test binary the owner of a server that TestServerDiesWithItsOwner kills.
const ownerVariable = "REDISTEST_OWNER"

func TestRestartCommandReplacesTheServer(t *testing.T) {
	t.Parallel()
	s := Start(t, AppendOnly("always"))
	command := s.RestartCommand(t)
	s.Do(t, "SET", "k", "v")
	for range 3 {
		before := runID(t, s)
		runCommand(t, command)
		require.NotEqual(t, before, runID(t, s))
		require.Equal(t, "v", s.Do(t, "GET", "k"))
	}
}

func TestRestartCommandStartsADeadServer(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Kill(t)
	runCommand(t, s.RestartCommand(t))
	require.NoError(t, s.Ping(briefly(t, time.Second)))
}

func TestRestartCommandReplacesAPausedServer(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Pause(t)
	runCommand(t, s.RestartCommand(t))
	require.NoError(t, s.Ping(briefly(t, time.Second)))
}

func TestEverythingWorksOnACommandsServer(t *testing.T) {
	t.Parallel()
	s := Start(t, AppendOnly("always"))
	runCommand(t, s.RestartCommand(t))
	s.Do(t, "SET", "k", "v")
	s.Pause(t)
	require.Error(t, s.Ping(briefly(t, 100*time.Millisecond)))
	s.Resume(t)
	s.Kill(t)
	s.Restart(t)
	runCommand(t, s.RestartCommand(t))
	s.Shutdown(t)
	s.Restart(t)
	require.Equal(t, "v", s.Do(t, "GET", "k"))
}

func TestServerDiesWithItsOwner(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"start", "command"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			owner, addr := startOwner(t, mode)
			s := &Server{port: portNumber(t, addr)}
			require.NoError(t, s.Ping(briefly(t, 5*time.Second)))
			require.NoError(t, owner.Process.Kill())
			require.Error(t, owner.Wait())
			eventually(t, "the server is gone", func() bool {
				err := s.Ping(t.Context())
				return err != nil && strings.Contains(err.Error(), "refused")
			})
		})
	}
}

// TestOwner is the other side of TestServerDiesWithItsOwner.
func TestOwner(t *testing.T) { //nolint:paralleltest // a process of its own
	mode := os.Getenv(ownerVariable)
	if mode == "" {
		return
	}
	s := Start(t)
	if mode == "command" {
		runCommand(t, s.RestartCommand(t))
	}
	_, err := os.Stdout.WriteString("\nserver at " + s.Addr() + "\n")
	require.NoError(t, err)
	<-t.Context().Done() // never: this process is killed
}

// startOwner returns once the process has a server, and where that is.
func startOwner(t *testing.T, mode string) (*exec.Cmd, string) {
	t.Helper()
	owner := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOwner$")
	owner.Env = append(os.Environ(), ownerVariable+"="+mode, "TMPDIR="+t.TempDir())
	out, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "server at "); ok {
			return owner, addr
		}
	}
	t.Fatal("the owner has no server")
	return nil, ""
}

// runCommand runs a command as Watermill's tests do.
func runCommand(t *testing.T, command []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	out, err := cmd.CombinedOutput() // returns only when nothing holds the pipe any more
	require.NoError(t, err, string(out))
	require.Empty(t, string(out))
}
