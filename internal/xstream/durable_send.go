package xstream

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

const (
	// answerTime is how much longer than it was told to wait a server may take for a batch
	// before it counts as frozen or gone.
	answerTime = 10 * time.Second
	// redirections is how often a batch follows its slot.
	redirections = 8
	// unknownNode is how long we wait for the client to learn of a node.
	unknownNode = 200 * time.Millisecond
)

// unsent is the error of what was not sent because of something before it.
type unsent struct{ error }

func (e unsent) Unwrap() error { return e.error }

// deliver sends units until none of them is redirected. What is redirected has left nothing
// where it was sent, and what waited there says nothing of it, so it goes with a batch of its
// own to where it belongs.
func (d *durable) deliver(ctx context.Context, l *lane, units []*unit) {
	first := target{client: d.adder.client}
	at := first
	for range redirections {
		d.send(ctx, at, l, units)
		if !d.adder.isCluster() {
			return
		}
		var to *redirect
		if units, to = redirectedOf(units); to == nil {
			return
		}
		if at = (target{d.adder.client.Nodes()[to.addr], to.asking}); at.client == nil {
			at = first // it has noticed that it does not know all nodes
			pause(ctx, unknownNode)
		}
	}
}

// redirectedOf are those units that have to be sent elsewhere, and where the last one does.
func redirectedOf(units []*unit) (again []*unit, last *redirect) {
	for _, u := range units {
		if to := u.redirected(); to != nil {
			again, last = append(again, u), to
		}
	}
	return again, last
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// send sends units once, over a connection that is theirs alone.
//
// Only the connection's end ends the wait for an answer, and not a context: rueidis would
// go on to read the caller's payloads.
func (d *durable) send(ctx context.Context, to target, l *lane, units []*unit) {
	conn, giveBack := to.client.Dedicate()
	frozen := time.AfterFunc(d.want.Timeout+answerTime, conn.Close)
	done := false
	defer func() {
		if frozen.Stop() && done {
			giveBack()
		} else { // it may be closed at any moment, and nobody else should get it
			conn.Close()
		}
	}()
	if err := d.vouch(ctx, conn, l, units[0].stream); err != nil {
		for _, u := range units {
			u.fail(err)
		}
		done = true
		return
	}
	d.settle(l, units, conn.DoMulti(ctx, d.commands(units, to)...), to)
	done = true
}

// commands are those of the units, and the one that waits.
func (d *durable) commands(units []*unit, to target) rueidis.Commands {
	n := 1
	for _, u := range units {
		n += len(u.entries) + 3 // ASKING, MULTI and EXEC
	}
	cmds := make(rueidis.Commands, 0, n)
	for _, u := range units {
		cmds = u.append(d.adder, cmds, to)
	}
	return append(cmds, d.want.await(d.adder.client.B()))
}

// settle reads the answers.
func (d *durable) settle(l *lane, units []*unit, replies []rueidis.RedisResult, from target) {
	for _, u := range units {
		replies = u.read(d.adder, replies, from)
	}
	short := d.want.check(replies[0])
	if short == nil {
		return
	}
	if reason := d.want.explain(short.Err); reason != nil {
		short.Err = reason
		d.setAble(l, false)
	}
	for _, u := range units {
		u.mark(short)
	}
}

// vouch asks a node that has not answered yet whether it can wait at all. Where it can't,
// each message that is published again because of the error would be there once more.
func (d *durable) vouch(ctx context.Context, conn rueidis.DedicatedClient, l *lane, stream string) error {
	if d.isAble(l) {
		return nil
	}
	err := conn.Do(ctx, d.want.try(conn.B()).SetSlot(stream)).Error()
	if reason := d.want.explain(err); reason != nil {
		return reason
	}
	if err != nil && !IsReply(err) {
		return unsent{err}
	}
	d.setAble(l, err == nil)
	return nil
}

func (d *durable) isAble(l *lane) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return l.able
}

func (d *durable) setAble(l *lane, able bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.able = able
}
