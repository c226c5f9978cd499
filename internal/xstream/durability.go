package xstream

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Durability is who has to have an entry before it counts as added. The zero value asks
// for nobody but the server.
type Durability struct {
	Replicas int           // how many
	Local    bool          // the append-only files: the server's own, and those of the replicas
	Timeout  time.Duration // at least a millisecond: to the server, 0 is for ever
}

// Wanted reports whether anything is asked for.
func (d Durability) Wanted() bool { return d.Replicas > 0 || d.Local }

// await is the command that waits for those who have to have what its connection has written.
func (d Durability) await(b rueidis.Builder) rueidis.Completed {
	if d.Local {
		return b.Waitaof().Numlocal(1).Numreplicas(int64(d.Replicas)).Timeout(d.Timeout.Milliseconds()).Build()
	}
	return b.Wait().Numreplicas(int64(d.Replicas)).Timeout(d.Timeout.Milliseconds()).Build()
}

// try is a command that is refused where await is, and answered at once elsewhere.
func (d Durability) try(b rueidis.Builder) rueidis.Completed {
	if d.Local {
		return b.Waitaof().Numlocal(1).Numreplicas(0).Timeout(1).Build()
	}
	return b.Wait().Numreplicas(0).Timeout(1).Build()
}

// check reads the answer to await. It returns nil when it is what was asked for.
func (d Durability) check(answer rueidis.RedisResult) *NotDurableError {
	short := &NotDurableError{Replicas: -1}
	var counts []int64
	if d.Local {
		counts, short.Err = answer.AsIntSlice()
	} else {
		var n int64
		n, short.Err = answer.AsInt64()
		counts = []int64{0, n}
	}
	if short.Err == nil && len(counts) != 2 {
		short.Err = errShort
	}
	if short.Err != nil {
		return short
	}
	short.Local, short.Replicas = counts[0] > 0, int(counts[1])
	if short.Replicas >= d.Replicas && (short.Local || !d.Local) {
		return nil
	}
	return short
}

// NotDurableError is the error of an entry that was added, and that too few have, as far as
// the server knows.
type NotDurableError struct {
	Replicas int   // that have it; -1 = unknown
	Local    bool  // whether the server's append-only file has it
	Err      error // why that is unknown; else nil
}

func (e *NotDurableError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("added, but nobody knows who has it: %v", e.Err)
	}
	return fmt.Sprintf("added, but only %d replicas have it", e.Replicas)
}

func (e *NotDurableError) Unwrap() error { return e.Err }

// explain adds what the operator can do when the server does not do what await and try
// ask for. It returns nil when the error says nothing of that.
func (d Durability) explain(err error) error {
	var reply *rueidis.RedisError
	if !errors.As(err, &reply) {
		return nil
	}
	switch text := reply.Error(); {
	case strings.Contains(text, "appendonly is disabled"):
		return fmt.Errorf("the server keeps no append-only file, it needs \"appendonly yes\": %w", err)
	case strings.Contains(text, "unknown command") && d.Local:
		return fmt.Errorf("the server can't wait for its append-only file, which takes Redis 7.2 or Valkey: %w", err)
	case strings.Contains(text, "unknown command"):
		return fmt.Errorf("the server can't wait for replicas: %w", err)
	case hasCode(err, "NOPERM"):
		return fmt.Errorf("the user may not wait for others to have what is written: %w", err)
	default:
		return nil
	}
}
