package contestant

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
)

// Claimer is a consumer without Watermill whose reads CLAIM what others have left, and then bring
// what is new. It has a connection of its own, and acks what it has read in one command.
type Claimer struct {
	Name    string
	Count   int64
	MinIdle time.Duration // 0: its reads don't claim
	// Block is how long a read waits for news.
	Block time.Duration

	fixture *bench.Fixture
	client  rueidis.Client
	conn    rueidis.DedicatedClient
	release func()
	entries []rawEntry
	ids     []string
}

// Open connects.
func (c *Claimer) Open(f *bench.Fixture) error {
	client, err := rueidis.NewClient(Recommended(f.Redis.Addr()))
	if err != nil {
		return err
	}
	c.fixture, c.client = f, client
	c.conn, c.release = client.Dedicate()
	return nil
}

// Close ends the connection, and with it a read.
func (c *Claimer) Close() {
	c.release()
	c.client.Close()
}

// Run reads, calls each for what it has read, and acks, until ctx ends and after it the connection.
func (c *Claimer) Run(ctx context.Context, each func([]byte)) error {
	quiet := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		if err := c.step(quiet, each); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (c *Claimer) step(ctx context.Context, each func([]byte)) error {
	var err error
	reply := c.conn.Do(ctx, c.read())
	if c.entries, err = rawEntries(c.entries[:0], reply, c.fixture.Topic); err != nil || len(c.entries) == 0 {
		return err
	}
	c.ids = c.ids[:0]
	for i := range c.entries {
		payload, err := c.entries[i].payload()
		if err != nil {
			return err
		}
		each(payload)
		c.ids = append(c.ids, c.entries[i].id)
	}
	return c.conn.Do(ctx, c.conn.B().Xack().Key(c.fixture.Topic).Group(c.fixture.Group).Id(c.ids...).Build()).Error()
}

func (c *Claimer) read() rueidis.Completed {
	read := c.conn.B().Xreadgroup().Group(c.fixture.Group, c.Name).Count(c.Count).Block(c.Block.Milliseconds())
	if c.MinIdle == 0 {
		return read.Streams().Key(c.fixture.Topic).Id(">").Build()
	}
	return read.Claim(strconv.FormatInt(c.MinIdle.Milliseconds(), 10)).Streams().Key(c.fixture.Topic).Id(">").Build()
}
