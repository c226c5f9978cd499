package redisstream

import "github.com/watermill-rueidis/redisstream/internal/xstream"

// state is where a held entry stands.
type state uint8

const (
	buffered  state = iota // waits to be handed out
	inFlight               // with the caller, or on the way there
	acked                  // acked by the caller, not yet by Redis
	condemned              // on its way to the dead letters
	returning              // on its way back to the group
	lost                   // the server says it is not ours; the caller may still have it
	forgotten              // settled on the server
)

// entry is a stream entry that a subscription holds. Its ledger's lock protects Deliveries and
// the fields below the ID.
type entry struct {
	xstream.Entry
	size int // bytes of its fields

	admitted  instant // when it came, or got its key
	confirmed instant // when the last command was sent whose reply said that it is ours
	place     int     // in the ledger's table
	listed    bool    // in the ledger's table; else dropped, lost, or held anew as another entry
	state     state
	counted   bool // Deliveries includes a hand-out that has not happened, as after a read, so that a release takes it back
	settled   bool // the server has confirmed its ack, or its move to the dead letters
	kept      bool // renewed while it waits
	busy      bool // its count is being changed: not to be handed out now
	bars      bool // given up, and not to be overtaken yet
	replaced  bool // another entry has its ID now; see ledger.replace
	expired   bool // taken away from a handler that had it for too long
	cleared   bool // its last hand-out ended with a nack, so it does not kill who has it
	opened    bool // its first delivery is in use, or was; the dispatcher's own
	delivery  *delivery
	first     delivery // the memory of the first one, which is nearly always the only one
	keyed     *keyed   // where messages with a key in common are in order; nil = the key is not known
}

// again notes that a held entry was handed to us once more. A claim, other than a
// read, has left the server's count as it was: what waits takes it over.
func (e *entry) again(same *xstream.Entry, a admission) {
	e.confirmed = instantOf(a.sent)
	if e.state == buffered && !e.busy && !a.counted {
		e.Deliveries, e.counted = same.Deliveries, a.counted
	}
}

// lendFrom is the size of entries whose memory a message may have. What is left of such an
// entry after its hand-out is its ID: to read it again, when it failed, costs less than
// to copy each.
const lendFrom = 64 << 10

// isLent reports whether the fields are with a handler, or were.
func (e *entry) isLent() bool { return e.size > 0 && e.Len() == 0 }

// isAhead reports whether there is a message of the entry that was not handed out.
func (e *entry) isAhead() bool { return e.keyed != nil && e.keyed.ahead != nil }

// handOuts is how often the entry was handed out in its group.
func (e *entry) handOuts() int64 {
	if e.counted {
		return max(e.Deliveries-1, 0)
	}
	return e.Deliveries
}
