package partitions

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

const workerPackage = "github.com/watermill-rueidis/redisstream/tests/partitions/worker"

// BuildWorker builds the worker into a directory and returns its path. It has the race detector
// if the test has it. The overlay is a file as for go build -overlay, or "".
func BuildWorker(dir, overlay string) (path string, err error) {
	path = filepath.Join(dir, "worker")
	args := append([]string{"build", "-o", path}, raceFlags()...)
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	args = append(args, workerPackage)
	out, err := exec.Command("go", args...).CombinedOutput() //nolint:noctx // a build ends by itself
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return path, nil
}
