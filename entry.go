package redisstream

import (
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// state is where a held entry stands.
type state uint8

const (
	buffered    state = iota // waits to be handed out
	inFlight                 // with the caller, or on the way there
	acked                    // acked by the caller, not yet by Redis
	undecodable              // on its way to the dead letters
	returning                // on its way back to the group
	lost                     // the server says it is not ours; the caller may still have it
	forgotten                // settled on the server
)

// entry is a stream entry that a subscription holds. Its ledger's lock protects
// the fields below the ID.
type entry struct {
	xstream.Entry
	id string // ID as Redis writes it

	state     state
	admitted  time.Time // when it came
	confirmed time.Time // when the last command was sent whose reply said that it is ours
	// deliveries is the server's count. counted says that it includes a hand-out
	// that has not happened, as after a read, so that a release takes it back.
	deliveries int64
	counted    bool
	kept       bool // renewed while it waits
	delivery   *delivery
}
