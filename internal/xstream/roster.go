package xstream

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Roster is who takes part in a group of a partitioned topic. It is what members compute
// their shares from, and no more than a hint: the leases decide.
type Roster struct {
	Client rueidis.Client
	// Keys, all in the topic's slot.
	Partitions, Members, Owned, Wake string
}

// Beat is a member's sign of life.
type Beat struct {
	Member string
	TTL    time.Duration // after which the member is taken for dead; the same for all
	Count  int           // how many partitions the topic has
	Owned  string        // what the member has, as others are to see it
	Known  string        // version of the last Snapshot; "" = none
}

// Snapshot is what all members of a group see alike.
type Snapshot struct {
	Version string            // another one with each change; an ID of the wake stream
	Soonest time.Duration     // until a member is overdue
	Owned   map[string]string // each member and what it has; nil when the version is known
}

// Beat gives a sign of life, and removes members that are overdue. It returns a
// *CountError when the topic has another number of partitions; if nobody has recorded
// one, this is it.
func (r Roster) Beat(ctx context.Context, b Beat) (Snapshot, error) {
	reply, err := beat.Exec(ctx, r.Client,
		[]string{r.Partitions, r.Members, r.Owned, r.Wake},
		[]string{b.Member, millis(b.TTL), strconv.Itoa(b.Count), b.Owned, b.Known}).ToArray()
	if err != nil {
		return Snapshot{}, err
	}
	if len(reply) < 2 {
		return Snapshot{}, errShort
	}
	switch ok, err := reply[0].AsInt64(); {
	case err != nil:
		return Snapshot{}, err
	case ok != 1:
		return Snapshot{}, otherCount(&reply[1])
	default:
		return parseSnapshot(reply[1:])
	}
}

func otherCount(recorded *rueidis.RedisMessage) error {
	n, err := recorded.AsInt64()
	if err != nil {
		return err
	}
	return &CountError{Recorded: int(n)}
}

func parseSnapshot(parts []rueidis.RedisMessage) (s Snapshot, err error) {
	if len(parts) < 2 {
		return s, errShort
	}
	if s.Version, err = parts[0].ToString(); err != nil {
		return s, err
	}
	ms, err := parts[1].AsInt64()
	if err != nil {
		return s, err
	}
	s.Soonest = time.Duration(ms) * time.Millisecond
	if len(parts) > 2 {
		s.Owned, err = parts[2].AsStrMap()
	}
	return s, err
}

// Ask asks for an answer, and changes nothing.
func (r Roster) Ask(ctx context.Context) error {
	_, err := RecordedPartitions(ctx, r.Client, r.Partitions)
	return err
}

// Leave takes a member off, and tells the others.
func (r Roster) Leave(ctx context.Context, member string) error {
	return resign.Exec(ctx, r.Client, []string{r.Members, r.Owned, r.Wake}, []string{member}).Error()
}
