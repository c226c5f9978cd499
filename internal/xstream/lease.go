package xstream

import (
	"context"
	"time"
)

// Partition is one stream of a partitioned topic as a group sees it. Its entries go to
// one consumer, whoever owns the partition: so it can be told in one step what was
// handed out and not acked.
type Partition struct {
	Group

	Lease    string // key of the lease; in the stream's slot
	Consumer string // has all that is pending
}

// Grant is the answer to Acquire.
type Grant struct {
	Epoch int64         // 0 = refused
	Owner string        // who has it, if refused
	Left  time.Duration // of the owner's lease
}

// Acquire asks for the partition on behalf of a member, for ttl from when the server
// gets to it. The owner itself is granted a new epoch, with which the last one is over.
// Epochs of a partition grow.
func (p Partition) Acquire(ctx context.Context, member string, ttl time.Duration) (Grant, error) {
	reply, err := acquire.Exec(ctx, p.Client, []string{p.Lease}, []string{member, millis(ttl)}).ToArray()
	if err != nil {
		return Grant{}, err
	}
	if len(reply) < 2 {
		return Grant{}, errShort
	}
	granted, err := reply[0].AsInt64()
	if err != nil {
		return Grant{}, err
	}
	n, err := reply[1].AsInt64()
	if err != nil || granted == 1 {
		return Grant{Epoch: n}, err
	}
	if len(reply) < 3 {
		return Grant{}, errShort
	}
	owner, err := reply[2].ToString()
	return Grant{Owner: owner, Left: time.Duration(n) * time.Millisecond}, err
}
