package history

import (
	"encoding/json"
	"os"
)

// Log is the file of one process. Several goroutines may add to it.
type Log struct {
	file *os.File
	fail func(error)
}

// Open opens a log for appending. What cannot be written is told to fail: a process
// that goes on without writing would make a history that is not true.
func Open(path string, fail func(error)) (*Log, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Log{file: file, fail: fail}, nil
}

// Add writes the event with the time of now. It is one call of the system, so what
// was added is there, whole, when the process is killed.
func (l *Log) Add(e Event) {
	e.At = Now()
	line, err := json.Marshal(e)
	if err == nil {
		_, err = l.file.Write(append(line, '\n'))
	}
	if err != nil {
		l.fail(err)
	}
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }
