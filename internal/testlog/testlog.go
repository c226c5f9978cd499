// Package testlog keeps what everybody says during a test, for when it fails.
package testlog

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
)

// Log is what was said, with the time since its beginning. It is safe for concurrent use.
type Log struct {
	start time.Time
	mu    sync.Mutex // protects the following field
	lines []string
}

// New returns a Log that is printed at the end of a test that has failed.
func New(tb testing.TB) *Log {
	tb.Helper()
	l := &Log{start: time.Now()}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log("\n" + l.text())
		}
	})
	return l
}

// Note adds a line.
func (l *Log) Note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%7.3f %s", time.Since(l.start).Seconds(), line))
}

func (l *Log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// Logger returns a logger whose lines begin with a name.
func (l *Log) Logger(name string) watermill.LoggerAdapter { return logger{l, name, nil} }

type logger struct {
	log    *Log
	name   string
	fields watermill.LogFields
}

func (l logger) write(msg string, err error, fields watermill.LogFields) {
	if msg == "Acked" {
		return // too often
	}
	all := l.fields.Add(fields)
	for _, field := range []string{"topic", "consumer_group", "member", "partitions"} {
		delete(all, field)
	}
	l.log.Note(fmt.Sprint(l.name, ": ", msg, " ", all, " ", err))
}

func (l logger) Error(msg string, err error, fields watermill.LogFields) { l.write(msg, err, fields) }

func (l logger) Info(msg string, fields watermill.LogFields) { l.write(msg, nil, fields) }

func (l logger) Debug(msg string, fields watermill.LogFields) { l.write(msg, nil, fields) }
func (logger) Trace(string, watermill.LogFields)              {}

func (l logger) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return logger{l.log, l.name, l.fields.Add(fields)}
}
