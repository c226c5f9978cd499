package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCountCountsTestsWithoutTestsBelow(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	for _, e := range []event{
		{"run", "TestA"},
		{"pass", "TestA/x/1"},
		{"fail", "TestA/x/2"},
		{"skip", "TestA/x/3"},
		{"fail", "TestA/x"},
		{"fail", "TestA"},
		{"pass", "TestB"},
		{"pass", ""},
	} {
		line, err := json.Marshal(e)
		require.NoError(t, err)
		out.Write(append(line, '\n'))
	}
	r := count("some text of a build\n" + out.String())
	require.Equal(t, result{Passed: 2, Failed: []string{"TestA/x/2"}}, r)
	require.Equal(t, "**failed**: 1 of 3", r.String())
}

func TestTableGoesBetweenTheMarkers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "README.md")
	require.NoError(t, os.WriteFile(path, []byte("above\n"+beginMarker+"\nold\n"+endMarker+"\nbelow\n"), 0o600))
	page, err := openReadme(path)
	require.NoError(t, err)
	results := []result{{Passed: 7}, {Skipped: "no mirror"}, {Trouble: "exit status 2"}}
	require.NoError(t, page.write(table{{title: "Redis 7.0.15", results: results}}.String()))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "above\n"+beginMarker+"\n| | standalone |")
	require.Contains(t, string(text), "| Redis 7.0.15 | passed (7) | not run: no mirror | **failed**: exit status 2 |\n\n"+endMarker+"\nbelow\n")
	_, err = openReadme(filepath.Join(t.TempDir(), "nothing"))
	require.Error(t, err)
}

func TestFolderKeepsWhatIsGood(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "redis-tls")
	require.NoError(t, save(name, result{Failed: []string{"TestA"}}, []byte("out")))
	_, ok := load(name)
	require.False(t, ok, "what has failed is run again")
	require.FileExists(t, name+".log")
	require.NoError(t, save(name, result{Passed: 3}, nil))
	kept, ok := load(name)
	require.True(t, ok)
	require.Equal(t, result{Passed: 3}, kept)
}
