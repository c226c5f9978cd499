package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
)

// folder keeps results, so that a run can go on where another has ended.
type folder string

func openFolder(path string) (folder, error) {
	if path == "" {
		path, err := os.MkdirTemp("", "matrix")
		return folder(path), err
	}
	return folder(path), os.MkdirAll(path, 0o700)
}

// result is the one that is there, or that of a run now.
func (f folder) result(ctx context.Context, s server, d deployment, chosen *regexp.Regexp) result {
	name := filepath.Join(string(f), s.name+"-"+d.name)
	if kept, ok := load(name); ok {
		return kept
	}
	if s.reason != "" {
		return result{Skipped: s.reason}
	}
	if !chosen.MatchString(s.name + "/" + d.name) {
		return result{Skipped: "left out by -run"}
	}
	r, out := s.try(ctx, d)
	if err := save(name, r, out); err != nil {
		r.Trouble = err.Error()
	}
	return r
}

func load(name string) (r result, ok bool) {
	text, err := os.ReadFile(name + ".json")
	return r, err == nil && json.Unmarshal(text, &r) == nil
}

// save keeps a good result. Of a bad one it keeps the output, and it is run again.
func save(name string, r result, out []byte) error {
	if r.bad() {
		return os.WriteFile(name+".log", out, 0o600)
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(name+".json", text, 0o600)
}
