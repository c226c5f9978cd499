package redisstream

import (
	"fmt"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// StartPosition says where in a stream to begin: for a consumer group when it
// is created, for a subscription without a group each time. The zero value is
// the default: StartOldest with a group, StartNewest without.
type StartPosition struct {
	kind  startKind
	after xstream.ID
	bad   string // what is no ID
}

type startKind uint8

const (
	startDefault startKind = iota
	startOldest
	startNewest
	startAfter
	startInvalid
)

// StartOldest begins with the oldest entry that the stream still holds.
func StartOldest() StartPosition { return StartPosition{kind: startOldest} }

// StartNewest begins with the first entry added after Subscribe (or
// SubscribeInitialize) was called. It is resolved once, before Subscribe
// returns: whatever is added later is seen.
func StartNewest() StartPosition { return StartPosition{kind: startNewest} }

// StartAfterID begins with the entry that follows the given ID, which has the
// form "<milliseconds>-<sequence>" or "<milliseconds>".
func StartAfterID(id string) StartPosition {
	after, err := xstream.ParseID(id)
	if err != nil {
		return StartPosition{kind: startInvalid, bad: id}
	}
	return StartPosition{kind: startAfter, after: after}
}

// StartAtTime begins with the first entry added at t or later, to the
// millisecond, by the clock that the entries' IDs were made with.
func StartAtTime(t time.Time) StartPosition {
	return StartPosition{kind: startAfter, after: xstream.IDBefore(t)}
}

func (p StartPosition) String() string {
	switch p.kind {
	case startOldest:
		return "oldest"
	case startNewest:
		return "newest"
	case startInvalid:
		return p.bad
	case startAfter:
		return fmt.Sprintf("after %v", p.after)
	default:
		return "default"
	}
}

func (p StartPosition) or(kind startKind) StartPosition {
	if p.kind == startDefault {
		return StartPosition{kind: kind}
	}
	return p
}
