package xstream

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

var (
	// ErrFenced is returned when a partition is not the member's any more.
	ErrFenced = errors.New("the partition belongs to another member, or to a later tenure")
	// ErrWentBack is returned when the server has forgotten acks, as after a failover.
	ErrWentBack = errors.New("what was acked is pending again")
)

// Tenure is a member's right to a partition. It ends when another epoch is granted, and
// not by time: the server refuses with ErrFenced, and changes nothing, only then. A
// member has to know by itself when its lease is over.
type Tenure struct {
	Partition

	Member string
	Epoch  int64
}

// Renew lets the lease begin anew. foreign says that something is pending for another
// consumer than the partition's, as after a Requeue. The error may be ErrFenced.
func (t Tenure) Renew(ctx context.Context, ttl time.Duration) (foreign bool, err error) {
	reply, err := t.fenced(ctx, renew, nil, t.Name, t.Consumer, millis(ttl))
	if err != nil {
		return false, err
	}
	n, err := reply.AsInt64()
	return n == 1, err
}

// Release ends the tenure, so that another member may have the partition at once. It is
// no error if it was over.
func (t Tenure) Release(ctx context.Context) error {
	_, err := t.fenced(ctx, vacate, nil)
	if errors.Is(err, ErrFenced) {
		return nil
	}
	return err
}

// ackPage is how many entries one script call acks: it takes less than a millisecond.
const ackPage = 1000

// What settle says beside how many it has acked.
const wentBack = -2

// Ack settles entries of the partition's consumer, in the order of the list: what comes
// first is confirmed before the rest is sent. low is the lowest ID that the member has
// read and does not know to be acked; all before it is done. It returns how many were
// pending, also with an error, which may be ErrFenced or ErrWentBack.
func (t Tenure) Ack(ctx context.Context, low ID, ids []string) (acked int64, err error) {
	done := low.Prev().String()
	for page := range slices.Chunk(ids, ackPage) {
		args := append([]string{t.Name, t.Consumer, done}, page...)
		reply, err := t.fenced(ctx, settle, nil, args...)
		if err != nil {
			return acked, err
		}
		n, err := reply.AsInt64()
		if n == wentBack {
			err = ErrWentBack
		}
		if err != nil {
			return acked, err
		}
		acked += n
	}
	return acked, nil
}

// Confirm acks nothing, and finds out like Ack whether the server has forgotten acks.
func (t Tenure) Confirm(ctx context.Context, low ID) error {
	_, err := t.Ack(ctx, low, []string{ackNothing})
	return err
}

// Recount renews entries and sets their delivery counts, like Touch. The error may be
// ErrFenced.
func (t Tenure) Recount(ctx context.Context, entries []Count) ([]int64, error) {
	var counts []int64
	for _, page := range pages(entries) {
		message, err := t.fenced(ctx, fencedTouch, nil, countArgs(page, t.Name, t.Consumer)...)
		if err != nil {
			return counts, err
		}
		reply, err := message.AsIntSlice()
		if err != nil {
			return counts, err
		}
		if len(reply) != len(page) {
			return counts, errShort
		}
		counts = append(counts, reply...)
	}
	return counts, nil
}

// fencedOut is what a script says to a member that is not the owner.
const fencedOut = -1

// fenced runs a script that begins with the fence.
func (t Tenure) fenced(ctx context.Context, s *script, keys []string, args ...string) (rueidis.RedisMessage, error) {
	reply, err := t.exec(ctx, s, t.fenceKeys(keys...), t.fenceArgs(args...)).ToMessage()
	if err == nil && isFenced(&reply) {
		err = ErrFenced
	}
	return reply, err
}

// isFenced tells the reply of the fence from those of the scripts behind it, of which
// none is the same number.
func isFenced(reply *rueidis.RedisMessage) bool {
	n, err := reply.ToInt64()
	return err == nil && n == fencedOut
}

func (t Tenure) fenceKeys(keys ...string) []string { return append(keys, t.Lease) }

func (t Tenure) fenceArgs(args ...string) []string {
	return append(args, t.Member, strconv.FormatInt(t.Epoch, 10))
}
