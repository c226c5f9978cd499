package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// plantedBug is a mistake that the library could have, and that rounds have to find:
// a checker that has never seen a bug proves nothing.
type plantedBug struct {
	name  string
	edits []edit
	rules []string // any of them may report it

	faults []string // that bring it to light
	plan   func(*Plan)
}

// edit is a change of a file of the library.
type edit struct {
	file string // from the module's root
	old  string // is in it once
	new  string
}

var errEdit = errors.New("the text to change is not in the file once")

// moduleRoot is the way from this package to the library.
const moduleRoot = "../.."

// overlay writes changed copies of the bug's files into a directory, and an overlay
// for the go command that puts them in the place of the others. It returns its path.
func (b plantedBug) overlay(dir string) (string, error) {
	root, err := filepath.Abs(moduleRoot)
	if err != nil {
		return "", err
	}
	changed := map[string]string{}
	for _, e := range b.edits {
		original := filepath.Join(root, e.file)
		text, err := os.ReadFile(original)
		if err != nil {
			return "", err
		}
		if before, ok := changed[original]; ok {
			text = []byte(before)
		}
		if strings.Count(string(text), e.old) != 1 {
			return "", fmt.Errorf("%w: %s: %q", errEdit, e.file, e.old)
		}
		changed[original] = strings.Replace(string(text), e.old, e.new, 1)
	}
	return writeOverlay(dir, changed)
}

func writeOverlay(dir string, changed map[string]string) (string, error) {
	o := overlayFile{Replace: map[string]string{}}
	for original, text := range changed {
		o.Replace[original] = filepath.Join(dir, strings.ReplaceAll(original, string(filepath.Separator), "_"))
		if err := os.WriteFile(o.Replace[original], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "planted.json")
	return path, os.WriteFile(path, text, 0o600)
}

// draw makes the plan of a seed that favours the bug: three busy members, and its
// faults alone.
func (b plantedBug) draw(seed uint64) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	p := Plan{
		Seed: seed, Publishers: 1, CloseTimeout: 500 * time.Millisecond,
		Groups:    []Members{{Group: "group-1", Count: 3, MaxInFlight: oneOf(r, 1, 8)}},
		Publisher: task.Publisher{Every: 5 * time.Millisecond, Batch: 10},
	}
	if b.plan != nil {
		b.plan(&p)
	}
	cards := slices.DeleteFunc(catalog(), func(c card) bool { return !slices.Contains(b.faults, c.name) })
	if len(cards) > 0 {
		p.Strikes = drawStrikes(r, p, cards, 2+r.IntN(4))
	}
	return p
}
