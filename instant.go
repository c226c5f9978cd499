package redisstream

import "time"

// instant is a time of this process, as nanoseconds since it began, or negative before that. A
// time.Time takes three times the memory, and there are several for each entry.
type instant time.Duration

var beginning = time.Now() //nolint:gochecknoglobals // one for all

func instantOf(t time.Time) instant { return instant(t.Sub(beginning)) }

func (i instant) time() time.Time { return beginning.Add(time.Duration(i)) }
