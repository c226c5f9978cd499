package redistest

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
)

// serverVariable names the environment variable that chooses another server binary.
const serverVariable = "REDISSTREAM_TEST_SERVER"

// findBinary is the absolute path of the server to start. "" is that of the environment.
func findBinary(name string) (string, error) {
	if name == "" {
		name = cmp.Or(os.Getenv(serverVariable), "redis-server")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("no server to test with: apt-get install redis-server, or set %s: %w", serverVariable, err)
	}
	return path, nil
}
