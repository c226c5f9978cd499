package bench

import (
	"fmt"
	"runtime"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

// Fixture is what a contestant gets for a round: empty servers, a topic that nobody has used, and
// a number of messages.
type Fixture struct {
	*servers.Servers

	Topic    string
	Output   string // another topic
	Group    string // "" for fan-out
	Messages int
	Scale    float64 // 1 unless asked for otherwise

	notes []string
}

// Note keeps a line that is written below the table.
func (f *Fixture) Note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

// Start collects the garbage that the preparations have left, and returns the time.
func (f *Fixture) Start() time.Time {
	runtime.GC()
	return time.Now()
}

// PerMessage is the time since start for each message, in microseconds.
func (f *Fixture) PerMessage(start time.Time) []float64 {
	return []float64{float64(time.Since(start).Nanoseconds()) / 1e3 / float64(f.Messages)}
}
