package redisstream

import (
	"errors"
	"fmt"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// NotDurableError says that a message is stored, and that not all those have it who should, as
// far as the server has said in time. It matches ErrNotDurable. They may get it a
// moment later, or a failover may lose it. To publish it again makes a duplicate.
type NotDurableError struct {
	Replicas int   // how many have it; -1 = unknown
	Local    bool  // whether the append-only file of the master has it
	Err      error // why it is unknown: the server's refusal, or a lost connection; else nil
	wanted   Durability
}

func (e *NotDurableError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%v: nobody knows who else has it: %v", ErrNotDurable, e.Err)
	}
	if e.wanted.Local {
		return fmt.Sprintf("%v: after %v, %d of %d replicas have it in their files, and in the master's it is: %t",
			ErrNotDurable, e.wanted.Timeout, e.Replicas, e.wanted.Replicas, e.Local)
	}
	return fmt.Sprintf("%v: after %v, %d of %d replicas have it", ErrNotDurable, e.wanted.Timeout, e.Replicas, e.wanted.Replicas)
}

// Is makes the error ErrNotDurable.
func (e *NotDurableError) Is(target error) bool { return target == ErrNotDurable }

// Unwrap returns why it is unknown who has the message.
func (e *NotDurableError) Unwrap() error { return e.Err }

// notDurable is what those who were published together have in common.
type notDurable struct {
	wanted Durability
	last   *xstream.NotDurableError
	error  *NotDurableError // made of last
}

// public returns the error of a message as the caller sees it.
func (n *notDurable) public(err error) error {
	var short *xstream.NotDurableError
	if !errors.As(err, &short) {
		return err
	}
	if n.last != short {
		n.last = short
		n.error = &NotDurableError{Replicas: short.Replicas, Local: short.Local, Err: short.Err, wanted: n.wanted}
	}
	return n.error
}
