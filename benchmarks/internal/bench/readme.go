package bench

import (
	"bytes"
	"fmt"
	"os"
)

const (
	beginMarker = "<!-- bench:begin -->"
	endMarker   = "<!-- bench:end -->"
)

// Readme is a file with a place for the table.
type Readme struct {
	path          string
	before, after []byte
}

// OpenReadme finds the markers. It is called before the run, which takes minutes.
func OpenReadme(path string) (*Readme, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	before, rest, begins := bytes.Cut(text, []byte(beginMarker))
	_, after, ends := bytes.Cut(rest, []byte(endMarker))
	if !begins || !ends {
		return nil, fmt.Errorf("%s has no lines %s and, behind it, %s: the table goes between them", path, beginMarker, endMarker)
	}
	return &Readme{path: path, before: before, after: after}, nil
}

// Write replaces what is between the markers.
func (r *Readme) Write(text string) error {
	return os.WriteFile(r.path, fmt.Appendf(nil, "%s%s\n%s\n%s%s", r.before, beginMarker, text, endMarker, r.after), 0o600)
}
