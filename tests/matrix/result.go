package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// result is what came of the suite on one deployment of one server.
type result struct {
	Passed  int
	Failed  []string // the tests
	Skipped string   // the reason why it was not run
	Trouble string   // what ended the run besides a failed test
}

// event is a line of go test -json.
type event struct {
	Action string
	Test   string
}

// try runs the suite. It returns the output as well.
func (s server) try(ctx context.Context, d deployment) (result, []byte) {
	//nolint:gosec // nothing here comes from outside
	command := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-parallel=16", "-timeout=30m", "-run="+suite, "./tests/universal")
	command.Env = append(os.Environ(), "REDISSTREAM_TEST_SERVER="+s.program, "REDISSTREAM_TEST_DEPLOYMENT="+d.name)
	out, err := command.CombinedOutput()
	r := count(string(out))
	if err != nil && len(r.Failed) == 0 {
		r.Trouble = err.Error()
	}
	return r, out
}

// count counts the tests that have no tests below them.
func count(out string) result {
	var r result
	parents, outcomes := make(map[string]bool), make(map[string]string)
	for line := range strings.Lines(out) {
		var e event
		if json.Unmarshal([]byte(line), &e) != nil || e.Test == "" {
			continue
		}
		for at := strings.LastIndexByte(e.Test, '/'); at > 0; at = strings.LastIndexByte(e.Test[:at], '/') {
			parents[e.Test[:at]] = true
		}
		if e.Action == "pass" || e.Action == "fail" {
			outcomes[e.Test] = e.Action
		}
	}
	for test, outcome := range outcomes {
		switch {
		case parents[test]:
		case outcome == "pass":
			r.Passed++
		default:
			r.Failed = append(r.Failed, test)
		}
	}
	return r
}

func (r result) bad() bool { return len(r.Failed) > 0 || r.Trouble != "" }

// String is a cell of the table.
func (r result) String() string {
	switch {
	case r.Skipped != "":
		return "not run: " + r.Skipped
	case r.Trouble != "":
		return "**failed**: " + r.Trouble
	case len(r.Failed) > 0:
		return fmt.Sprintf("**failed**: %d of %d", len(r.Failed), len(r.Failed)+r.Passed)
	default:
		return fmt.Sprintf("passed (%d)", r.Passed)
	}
}
