package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// overlayFile is what go build -overlay reads.
type overlayFile struct{ Replace map[string]string }

var errToolchain = errors.New("package time of this toolchain is not as expected")

// The change to package time: Now adds what the process was told to. Only the wall clock
// jumps, as it does when somebody sets a machine's clock; timers and differences of times go
// by the monotonic one.
const (
	clockImport = "import (\n"
	clockNow    = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	clockJumps  = `
// wallJump is how many seconds the wall clock is off.
var wallJump atomic.Int64

// JumpWallClock sets the wall clock of this process forward, or back.
func JumpWallClock(d Duration) { wallJump.Add(int64(d / Second)) }
`
)

// clockOverlay writes an overlay that has the replacements of another one, if there is one, and
// a package time whose clock jumps. It returns its path.
func clockOverlay(dir, other string) (string, error) {
	var o overlayFile
	if other != "" {
		text, err := os.ReadFile(other)
		if err != nil {
			return "", err
		}
		if err := json.Unmarshal(text, &o); err != nil {
			return "", fmt.Errorf("%s: %w", other, err)
		}
	}
	original, changed, err := changedTime(dir)
	if err != nil {
		return "", err
	}
	if o.Replace == nil {
		o.Replace = map[string]string{}
	}
	o.Replace[original] = changed
	text, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "clock.json")
	return path, os.WriteFile(path, text, 0o600)
}

// changedTime writes the changed time.go next to the worker.
func changedTime(dir string) (original, changed string, err error) {
	root, err := exec.Command("go", "env", "GOROOT").Output() //nolint:noctx // ends by itself
	if err != nil {
		return "", "", err
	}
	original = filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		return "", "", err
	}
	text := string(source)
	if strings.Count(text, clockImport) != 1 || strings.Count(text, clockNow) != 1 {
		return "", "", fmt.Errorf("%w: %s", errToolchain, original)
	}
	text = strings.Replace(text, clockImport, clockImport+"\t\"sync/atomic\"\n", 1)
	text = strings.Replace(text, clockNow, clockNow+"\tsec += wallJump.Load()\n", 1)
	changed = filepath.Join(dir, "time.go")
	return original, changed, os.WriteFile(changed, []byte(text+clockJumps), 0o600)
}
