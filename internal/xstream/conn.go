package xstream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// ErrBadCount is returned for a read of less than one entry: to Redis, COUNT 0
// means everything there is.
var ErrBadCount = errors.New("a read needs a count of at least 1")

// readGrace is how much longer than its BLOCK a read may take before the
// server counts as frozen or gone.
const readGrace = 2 * time.Second

// closeGrace is how much longer a context lives than what it is for may take. A client of a
// cluster looks for the new master when a command fails, but not when its context has ended.
const closeGrace = time.Second

// ackNothing is the ID of no entry. To ack it needs the right to ack and a server
// that takes writes, and changes nothing.
const ackNothing = "0-0"

// Conn is a connection of its own for blocking reads. It is not safe for
// concurrent use, but for Unblock.
//
// A blocked read is never cancelled through its context: the reply would be
// dropped, together with entries that the server has assigned already. Unblock
// ends it through the server, so that the reply arrives.
type Conn struct {
	stream    Stream
	dedicated rueidis.DedicatedClient
	clientID  int64
	group     atomic.Pointer[string] // the group that is read; nil = none
	entries   []Entry                // memory for the next read

	late    *time.Timer // closes the connection
	wasLate atomic.Bool
}

// Dial reserves a connection. The first command on it decides which node of a
// cluster it belongs to, so a Conn is bound to its stream and of no use after
// an error.
func Dial(ctx context.Context, s Stream) (*Conn, error) {
	dedicated, _ := s.Client.Dedicate()
	c := &Conn{stream: s, dedicated: dedicated}
	c.late = time.AfterFunc(time.Hour, c.closeLate)
	c.late.Stop()
	id, err := dedicated.Do(ctx, dedicated.B().ClientId().Build().SetSlot(s.Key)).AsInt64()
	if err == nil {
		// The right to know the ID is not the right to unblock; nothing blocks yet.
		c.clientID = id
		if err = c.Unblock(ctx); err != nil {
			c.clientID = 0
		}
	}
	if err != nil && !IsReply(err) {
		dedicated.Close()
		return nil, err
	}
	return c, nil
}

// CanUnblock reports whether a blocked read can be ended through the server.
// Some servers and permissions don't allow it; reads should then block shortly.
func (c *Conn) CanUnblock() bool { return c.clientID != 0 }

// Unblock ends the read that blocks now, if there is one.
//
// A server whose writes are paused, as for a failover, makes a group's read wait
// before it is executed, and to unblock that is the end of many servers: they
// crash. So an ack of nothing goes ahead on the same connection. It is a write too,
// and waits until the pause is over, and the other command behind it.
func (c *Conn) Unblock(ctx context.Context) error {
	if !c.CanUnblock() {
		return nil
	}
	client := c.stream.Client
	unblock := client.B().ClientUnblock().ClientId(c.clientID).Build().SetSlot(c.stream.Key)
	group := c.group.Load()
	if group == nil {
		return client.Do(ctx, unblock).Error()
	}
	replies := client.DoMulti(ctx, client.B().Xack().Key(c.stream.Key).Group(*group).Id(ackNothing).Build(), unblock)
	return replies[1].Error()
}

// Close closes the connection itself and does not return it to the client's
// pool: a pool that had 200 subscriptions once would keep 200 connections.
func (c *Conn) Close() {
	c.late.Stop()
	c.dedicated.Close()
}

func (c *Conn) closeLate() {
	c.wasLate.Store(true)
	c.Close()
}

// GroupRead says what to read for a consumer.
type GroupRead struct {
	Consumer string
	Count    int
	Block    time.Duration
	Slack    time.Duration // how much longer than usual the reply may take
	// NoAck leaves nothing pending: the server forgets an entry as it hands it
	// out.
	NoAck bool
}

// ReadGroup reads what the group has not handed to anybody. Nothing within
// Block is no error. The slice is used again for the next read: who has copied what it
// needs should clear it.
func (c *Conn) ReadGroup(ctx context.Context, g Group, r GroupRead) ([]Entry, error) {
	if r.Count < 1 {
		return nil, ErrBadCount
	}
	c.group.Store(&g.Name)
	b := c.dedicated.B().Xreadgroup().Group(g.Name, r.Consumer).Count(int64(r.Count)).Block(r.Block.Milliseconds())
	if r.NoAck {
		return c.await(ctx, "xreadgroup", r.Block+r.Slack, b.Noack().Streams().Key(g.Key).Id(">").Build())
	}
	return c.await(ctx, "xreadgroup", r.Block+r.Slack, b.Streams().Key(g.Key).Id(">").Build())
}

// Read reads what comes after an ID. The reply may take slack longer than usual. The
// slice is like that of ReadGroup.
func (c *Conn) Read(ctx context.Context, after ID, count int, block, slack time.Duration) ([]Entry, error) {
	if count < 1 {
		return nil, ErrBadCount
	}
	b := c.dedicated.B().Xread().Count(int64(count)).Block(block.Milliseconds())
	return c.await(ctx, "xread", block+slack, b.Streams().Key(c.stream.Key).Id(after.String()).Build())
}

func (c *Conn) await(ctx context.Context, command string, block time.Duration, cmd rueidis.Completed) ([]Entry, error) {
	ctx, done := c.limit(ctx, block)
	defer done()
	return c.batch(explained(c.dedicated.Do(ctx, cmd), command, c.stream.Key))
}

// limit has a read that blocks for so long end in time, by the end of the connection.
func (c *Conn) limit(ctx context.Context, block time.Duration) (context.Context, func()) {
	c.late.Reset(block + readGrace)
	ctx, cancel := context.WithTimeout(ctx, block+readGrace+closeGrace)
	return ctx, func() {
		c.late.Stop()
		cancel()
	}
}

// batch parses the reply to a read.
func (c *Conn) batch(result rueidis.RedisResult) ([]Entry, error) {
	reply, err := result.ToMessage()
	if err != nil {
		if c.wasLate.Load() && !IsReply(err) {
			err = fmt.Errorf("no reply to a blocking read: %w", context.DeadlineExceeded)
		}
		return nil, ignoreNil(err)
	}
	c.entries, err = parseStreams(c.entries[:0], &reply)
	return c.entries, err
}
