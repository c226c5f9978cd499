package xstream

import (
	"errors"

	"github.com/redis/rueidis"
)

// unit is what is added as one: an entry, or several in a transaction.
type unit struct {
	stream  string
	entries []Addition
	out     []Added // what became of them; the memory is the caller's
}

// units are what is added of several parts. They write down in out what becomes of it.
func (a *Adder) units(parts []Part, out []Added) []unit {
	units := make([]unit, 0, len(parts))
	for _, part := range parts {
		n := len(part.Entries)
		step := n
		if a.plain.Load() {
			step = 1
		}
		for i := 0; i < n; i += step {
			units = append(units, unit{part.Stream, part.Entries[i : i+step], out[i : i+step]})
		}
		out = out[n:]
	}
	return units
}

// append appends the commands that add a unit. ASKING holds for the next command, or
// the transaction that it begins.
func (u *unit) append(a *Adder, cmds rueidis.Commands, to target) rueidis.Commands {
	if to.asking {
		cmds = append(cmds, a.client.B().Asking().Build())
	}
	if len(u.entries) == 1 {
		return a.pipeline(cmds, u.stream, u.entries)
	}
	return a.transaction(cmds, u.stream, u.entries)
}

// read takes the replies of a unit, and returns the others.
func (u *unit) read(a *Adder, replies []rueidis.RedisResult, from target) []rueidis.RedisResult {
	if from.asking {
		replies = replies[1:]
	}
	n := len(u.entries)
	if n == 1 {
		u.out[0] = added(replies[0])
		u.out[0].Err = explain(u.out[0].Err, "xadd", u.stream)
		return replies[1:]
	}
	copy(u.out, a.transacted(u.stream, replies[:n+2]))
	return replies[n+2:]
}

// fail gives all entries of a unit an error.
func (u *unit) fail(err error) {
	for i := range u.out {
		u.out[i] = Added{Err: err}
	}
}

// mark gives those that were added an error nevertheless.
func (u *unit) mark(short *NotDurableError) {
	for i := range u.out {
		if u.out[i].Err == nil {
			u.out[i].Err = short
		}
	}
}

// redirected returns where to send a unit of which nothing was added, as its slot is, or
// goes, elsewhere; else nil.
func (u *unit) redirected() *redirect {
	var to *redirect
	for i := range u.out {
		if u.out[i].Err == nil {
			return nil
		}
		if r := redirectOf(u.out[i].Err); r != nil {
			to = r
		}
	}
	return to
}

// target is where units are sent.
type target struct {
	client rueidis.Client
	asking bool // the node does not have the slot yet
}

// redirect is the node that has a slot, or that is about to get it.
type redirect struct {
	addr   string
	asking bool // it has to be told that it was recommended
}

func redirectOf(err error) *redirect {
	var reply *rueidis.RedisError
	if !errors.As(err, &reply) {
		return nil
	}
	if addr, ok := reply.IsMoved(); ok {
		return &redirect{addr: addr}
	}
	if addr, ok := reply.IsAsk(); ok {
		return &redirect{addr: addr, asking: true}
	}
	return nil
}
