package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	beginMarker = "<!-- matrix:begin -->"
	endMarker   = "<!-- matrix:end -->"
)

// errFailed reports a table with failures. It is written all the same.
var errFailed = errors.New("some failed")

// table has a row for each server.
type table []row

type row struct {
	title   string
	results []result // of the deployments
}

// String is the table in Markdown.
func (t table) String() string {
	var b strings.Builder
	b.WriteString("| |")
	for _, d := range deployments {
		b.WriteString(" " + d.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(deployments)) + "\n")
	for _, r := range t {
		b.WriteString("| " + r.title + " |")
		for _, cell := range r.results {
			b.WriteString(" " + cell.String() + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// verdict names what failed.
func (t table) verdict(f folder) error {
	var errs []error
	for _, row := range t {
		for _, r := range row.results {
			if r.bad() {
				errs = append(errs, fmt.Errorf("%w on %s; see %s: %s", errFailed, row.title, f, strings.Join(r.Failed, " ")))
			}
		}
	}
	return errors.Join(errs...)
}

// readme is a file with a place for the table. Without a path the table goes to the standard
// output.
type readme struct {
	path          string
	before, after []byte
}

// openReadme finds the markers. It is called before the run, which takes long.
func openReadme(path string) (*readme, error) {
	if path == "" {
		return &readme{}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	before, rest, begins := bytes.Cut(text, []byte(beginMarker))
	_, after, ends := bytes.Cut(rest, []byte(endMarker))
	if !begins || !ends {
		return nil, fmt.Errorf("%s has no lines %s and, behind it, %s: the table goes between them", path, beginMarker, endMarker)
	}
	return &readme{path: path, before: before, after: after}, nil
}

func (r *readme) write(text string) error {
	if r.path == "" {
		_, err := os.Stdout.WriteString(text)
		return err
	}
	return os.WriteFile(r.path, fmt.Appendf(nil, "%s%s\n%s\n%s%s", r.before, beginMarker, text, endMarker, r.after), 0o600)
}
