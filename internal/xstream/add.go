package xstream

import (
	"context"
	"strconv"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// transactionTries is how often a transaction is sent while its slot moves.
const transactionTries = 3

// Addition is an entry to add.
type Addition struct {
	ID     string   // "" or "*" = the server chooses
	MaxLen int64    // trim to about so many entries; 0 = don't
	Fields []string // name, value, …; read until Add has returned
}

func (e *Addition) size() int {
	size := 0
	for _, s := range e.Fields {
		size += len(s)
	}
	return size
}

// Added is what became of an Addition: an ID, or an error. It has both when the error is
// a *NotDurableError.
type Added struct {
	ID  string
	Err error
}

// Adder adds entries to streams. Its zero value is not usable; see NewAdder.
type Adder struct {
	client rueidis.Client
	// singles are entries that are added alone.
	singles commit
	// plain is set once a server has refused MULTI; batches are plain pipelines
	// from then on.
	plain atomic.Bool
	// durable adds all entries, if it is there.
	durable *durable
}

// NewAdder returns an Adder that uses the caller's client.
func NewAdder(client rueidis.Client) *Adder {
	return &Adder{client: client, singles: commit{client: client, queues: map[string]*queue{}}}
}

// AddOne adds an entry, and shares round trips with other goroutines that do the
// same. The context must not be cancellable: the command could be written after AddOne
// returned, from fields that are the caller's again.
func (a *Adder) AddOne(ctx context.Context, stream string, e *Addition) Added {
	if a.durable != nil {
		return a.durable.add(ctx, []Part{{stream, []Addition{*e}}})[0]
	}
	one := a.singles.do(ctx, stream, a.command([]string{stream}, nil, e), e.size())
	if one.Err != nil {
		one.Err = explain(one.Err, "xadd", stream)
	}
	return one
}

// Add adds entries to one stream, in order. Several go in one transaction, so that a
// server that refuses one of them has added none. The context is like that of AddOne.
func (a *Adder) Add(ctx context.Context, stream string, entries []Addition) []Added {
	if a.durable != nil {
		return a.durable.add(ctx, []Part{{stream, entries}})
	}
	if len(entries) == 1 {
		return []Added{a.AddOne(ctx, stream, &entries[0])}
	}
	if a.plain.Load() {
		return collect(stream, a.client.DoMulti(ctx, a.pipeline(make(rueidis.Commands, 0, len(entries)), stream, entries)...))
	}
	out := a.transact(ctx, stream, entries)
	for i := 1; i < transactionTries && isTorn(out); i++ {
		out = a.transact(ctx, stream, entries)
	}
	return out
}

func (a *Adder) isCluster() bool { return a.client.Mode() == rueidis.ClientModeCluster }

func (a *Adder) transact(ctx context.Context, stream string, entries []Addition) []Added {
	return a.transacted(stream, a.client.DoMulti(ctx, a.transaction(make(rueidis.Commands, 0, len(entries)+2), stream, entries)...))
}

// isTorn recognises a transaction whose slot has moved before its EXEC, which rueidis then
// sends to the other node by itself. Nothing of it was executed.
func isTorn(added []Added) bool {
	return hasCode(added[0].Err, "EXEC without MULTI") || hasCode(added[0].Err, "ERR EXEC without MULTI")
}

// transacted reads the replies to MULTI, the entries and EXEC.
func (a *Adder) transacted(stream string, replies []rueidis.RedisResult) []Added {
	begin, queued, end := replies[0], replies[1:len(replies)-1], replies[len(replies)-1]
	if err := begin.Error(); err != nil && IsReply(err) {
		// Without its MULTI, each command was executed by itself.
		if Classify(err) == Refused {
			a.plain.Store(true)
		}
		return collect(stream, queued)
	}
	list, err := end.ToArray()
	if err == nil && len(list) == len(queued) {
		return collectMessages(list)
	}
	if err == nil {
		err = errShort
	}
	out := make([]Added, len(queued))
	for i := range out {
		out[i].Err = err
		// What the server said of the command itself tells more than EXECABORT.
		if reason := queued[i].Error(); reason != nil && IsReply(err) {
			out[i].Err = reason
		}
		out[i].Err = explain(out[i].Err, "xadd", stream)
	}
	return out
}

// pipeline appends the commands that add entries one by one.
func (a *Adder) pipeline(cmds rueidis.Commands, stream string, entries []Addition) rueidis.Commands {
	key := []string{stream}
	for i := range entries {
		cmds = append(cmds, a.command(key, nil, &entries[i]))
	}
	return cmds
}

// transaction appends the commands that add entries together. All but the first XADD go
// where that goes.
func (a *Adder) transaction(cmds rueidis.Commands, stream string, entries []Addition) rueidis.Commands {
	whole := []string{stream}
	cmds = append(cmds, a.client.B().Multi().Build(), a.command(whole, nil, &entries[0]))
	for i := range entries[1:] {
		cmds = append(cmds, a.command(nil, whole, &entries[i+1]))
	}
	return append(cmds, a.client.B().Exec().Build())
}

// command adds an entry. It is sent where its key belongs, or its key is a mere
// argument: to find the slot of a key is a tenth of our work for a command.
func (a *Adder) command(key, argument []string, e *Addition) rueidis.Completed {
	cmd := a.client.B().Arbitrary("XADD").Keys(key...).Args(argument...)
	if e.MaxLen > 0 {
		cmd = cmd.Args("MAXLEN", "~", strconv.FormatInt(e.MaxLen, 10))
	}
	id := e.ID
	if id == "" {
		id = "*"
	}
	return cmd.Args(id).Args(e.Fields...).Build()
}

func collect(stream string, replies []rueidis.RedisResult) []Added {
	out := make([]Added, len(replies))
	for i := range replies {
		if out[i] = added(replies[i]); out[i].Err != nil {
			out[i].Err = explain(out[i].Err, "xadd", stream)
		}
	}
	return out
}

func collectMessages(replies []rueidis.RedisMessage) []Added {
	out := make([]Added, len(replies))
	for i := range replies {
		if out[i].ID, out[i].Err = replies[i].ToString(); out[i].Err != nil {
			out[i].ID = "" // it may be the text of the error
		}
	}
	return out
}
