package chaos

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Workers are the programs that the processes of a round run.
type Workers struct {
	Plain   string
	Jumping string // has a wall clock that can be set
}

const (
	workerPackage = "github.com/watermill-rueidis/redisstream/tests/chaos/worker"
	clockTag      = "clockjump"
)

// BuildWorkers builds both workers into a directory. The overlay is a file as for go build
// -overlay, or "".
func BuildWorkers(dir, overlay string) (w Workers, err error) {
	if w.Plain, err = BuildWorker(dir, overlay); err != nil {
		return w, err
	}
	overlay, err = clockOverlay(dir, overlay)
	if err != nil {
		return w, err
	}
	w.Jumping, err = BuildWorker(dir, overlay, clockTag)
	return w, err
}

// BuildWorker builds the worker and returns its path. It has the race detector if the test has
// it; only with a changed standard library that would take minutes.
func BuildWorker(dir, overlay string, tags ...string) (path string, err error) {
	path = filepath.Join(dir, strings.Join(append([]string{"worker"}, tags...), "-"))
	args := []string{"build", "-o", path}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if len(tags) > 0 {
		args = append(args, "-tags", strings.Join(tags, ","))
	} else {
		args = append(args, raceFlags()...)
	}
	args = append(args, workerPackage)
	out, err := exec.Command("go", args...).CombinedOutput() //nolint:noctx // a build ends by itself
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return path, nil
}
