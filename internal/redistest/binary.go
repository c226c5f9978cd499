package redistest

import (
	"fmt"
	"os"
	"os/exec"
)

// serverVariable names the environment variable that chooses another server binary.
const serverVariable = "REDISSTREAM_TEST_SERVER"

// binary is the absolute path of the server to start.
func binary() (string, error) {
	name := os.Getenv(serverVariable)
	if name == "" {
		name = "redis-server"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("no server to test with: apt-get install redis-server, or set %s: %w", serverVariable, err)
	}
	return path, nil
}
