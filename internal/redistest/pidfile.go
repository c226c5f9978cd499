package redistest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// errNotRunning reports that there is no server to send a signal to.
var errNotRunning = errors.New("server is not running")

// pidFile names the process that is the server now. It is a file and not a field because the
// command of [Server.RestartCommand] replaces the process from outside. Whoever is about to end
// the process removes the file first, so that no signal ever goes to a reused pid.
type pidFile string

func (f pidFile) write(pid int) error {
	return os.WriteFile(string(f), []byte(strconv.Itoa(pid)+"\n"), 0o600)
}

// read returns errNotRunning when no server is known.
func (f pidFile) read() (int, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errNotRunning
	}
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", f, err)
	}
	return pid, nil
}

// take is read, and removes the file.
func (f pidFile) take() (int, error) {
	pid, err := f.read()
	if err != nil {
		return 0, err
	}
	return pid, os.Remove(string(f))
}

// forget removes the file if it still names the process that has just ended by itself.
func (f pidFile) forget(pid int) {
	if now, err := f.read(); err == nil && now == pid {
		_ = os.Remove(string(f))
	}
}
