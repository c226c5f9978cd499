package redistest

import (
	_ "embed" // restart.sh
	"os"
	"os/exec"
	"strconv"
	"testing"
)

//go:embed restart.sh
var restartScript []byte

// RestartCommand is a command for [os/exec.Command] that kills the server (kill -9), starts it
// again on its port and in its directory, and returns when it answers. It is meant for
// Features.RestartServiceCommand of Watermill's tests. It can run any number of times, and the
// other methods work on the new process too. It needs bash. With [TLS] it returns when the
// server listens. A server that it started ends at most a moment after the test process, should
// that crash.
func (s *Server) RestartCommand(tb testing.TB) []string {
	tb.Helper()
	bash, err := exec.LookPath("bash")
	check(tb, err)
	script := s.path("restart.sh")
	check(tb, os.WriteFile(script, restartScript, 0o600))
	speaks := "plain"
	if s.settings.tls {
		speaks = "tls"
	}
	return append([]string{bash, script, s.dir, strconv.Itoa(s.port), strconv.Itoa(os.Getpid()), speaks}, s.argv()...)
}
