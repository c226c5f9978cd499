package redisstream

import (
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

const (
	defaultDurabilityTimeout = time.Second
	defaultFileTimeout       = 3 * time.Second // a file that is written each second, here and at a replica
	maxDurabilityTimeout     = time.Minute
)

// Durability says who has to have a message before Publish returns nil. Redis copies what
// it stores in its own time, and a master that dies before takes it along. With a Durability
// Publish waits for the copies (WAIT, or WAITAOF), once for all that is published meanwhile.
// Each wait takes a connection of the client for blocking commands: two at most, and in a
// cluster two for each slot that is published to.
//
// What is not copied in time stays stored: see NotDurableError. A server that can't do what
// is asked of it refuses the message, as a rule before it is stored.
type Durability struct {
	// Replicas is how many replicas of the master have to have the message. Of a master with
	// m of them a failover loses it only if one becomes master that is among the other
	// m - Replicas. Default: 0.
	Replicas int

	// Local has Publish wait for the append-only file of the master, and Replicas count with
	// their own files. It needs Redis 7.2 or Valkey, and "appendonly yes" where it is
	// counted. With "appendfsync everysec" that takes up to a second, and one or two more
	// with Replicas. Default: false.
	Local bool

	// Timeout is how long the server waits for it. A call that comes while others wait may
	// take twice as long. Default: 1 s, and 3 s with Local; from 1 ms to 1 min.
	Timeout time.Duration
}

func (d Durability) wanted() bool { return d.Replicas > 0 || d.Local }

func (d Durability) withDefaults() Durability {
	switch {
	case !d.wanted():
	case d.Local:
		orDefault(&d.Timeout, defaultFileTimeout)
	default:
		orDefault(&d.Timeout, defaultDurabilityTimeout)
	}
	return d
}

// validate expects the defaults to be filled in.
func (d Durability) validate() []error {
	var errs []error
	bad := func(field string, value any, reason string) {
		errs = append(errs, &ConfigError{"PublisherConfig.Durability." + field, value, reason})
	}
	if d.Replicas < 0 {
		bad("Replicas", d.Replicas, "must be at least 1, or 0 for none")
	}
	if d.wanted() {
		inRange(bad, "Timeout", d.Timeout, time.Millisecond, maxDurabilityTimeout)
	} else if d.Timeout != 0 {
		bad("Timeout", d.Timeout, "needs Replicas or Local")
	}
	return errs
}

func (c PublisherConfig) adder() *xstream.Adder {
	if !c.Durability.wanted() {
		return xstream.NewAdder(c.Client)
	}
	return xstream.NewDurableAdder(c.Client, xstream.Durability(c.Durability))
}
