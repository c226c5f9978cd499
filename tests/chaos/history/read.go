package history

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Extension is what the files of a history end with.
const Extension = ".jsonl"

// Read returns the events of one file, in the order of time. A last line without
// its end is left out: its process may be writing it.
func Read(path string) ([]Event, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var events []Event
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var e Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		events = append(events, e)
	}
	sortByTime(events)
	return events, nil
}

// ReadAll merges all files of a directory.
func ReadAll(dir string) ([]Event, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+Extension))
	if err != nil {
		return nil, err
	}
	var all []Event
	for _, path := range paths {
		events, err := Read(path)
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	sortByTime(all)
	return all, nil
}

// Write makes one file of the events.
func Write(path string, events []Event) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, e := range events {
		if err := encoder.Encode(e); err != nil {
			return err
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o600)
}

func sortByTime(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
}
