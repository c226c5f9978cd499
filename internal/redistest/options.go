package redistest

import (
	"fmt"
	"slices"
	"strings"
)

// An Option changes the configuration that a server starts with.
type Option func(*settings)

// settings are lines of redis.conf. The server takes the last line of a key.
type settings struct {
	lines    []string
	binary   string // "" = that of the environment
	sentinel bool   // the process is a sentinel
	fronts   bool   // the nodes are behind proxies
	source   string // of the connections that a node behind proxies opens
	tls      bool   // instead of plain connections
}

// AppendOnly keeps the data over [Server.Kill] and [Server.Restart]. The fsync policy is
// "always" or "everysec". With everysec Redis may hold back even the write for up to 2 s, so
// that a kill loses acknowledged commands: tests that count messages take always.
func AppendOnly(fsync string) Option {
	return func(s *settings) {
		s.set("appendonly", "yes")
		s.set("appendfsync", fsync)
	}
}

// Config sets one line of redis.conf. The value is written as it stands, so that keys with
// several values work; a value with spaces that is one value needs its own quotes. Settings that
// change how a client connects (port, bind, requirepass, tls-*) are not supported: see [TLS].
func Config(key, value string) Option {
	return func(s *settings) { s.set(key, value) }
}

// newSettings holds the defaults: nothing is persisted, and the log holds only trouble.
func newSettings(opts []Option) settings {
	var s settings
	s.set("save", "")
	s.set("appendonly", "no")
	s.set("loglevel", "warning")
	for _, opt := range opts {
		opt(&s)
	}
	return s
}

// Binary starts this server instead of the one that the environment names.
func Binary(path string) Option {
	return func(s *settings) { s.binary = path }
}

func (s *settings) set(key, value string) {
	if value == "" {
		value = `""`
	}
	s.lines = append(s.lines, key+" "+value)
}

// file is the text of redis.conf. What the package itself depends on comes last and wins. The
// server logs to its standard output, where errors before the log file is open go as well.
func (s *settings) file(dir string, port int) string {
	own := []string{
		"bind 127.0.0.1",
		fmt.Sprintf("%s %d", s.portKey(), port),
		fmt.Sprintf("dir %q", dir),
		"daemonize no",
		`logfile ""`,
	}
	return strings.Join(append(slices.Clip(s.lines), own...), "\n") + "\n"
}
