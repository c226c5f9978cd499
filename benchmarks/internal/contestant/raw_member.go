package contestant

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
)

// rawBlock is how long a read waits for news, in milliseconds. The context of a round is looked at
// between reads: with a context of their own they would not be the limit any more.
const rawBlock = 1000

// rawMember is a member of a group: one goroutine that reads on a connection of its own, and acks
// what it has read in one command before it reads on.
type rawMember struct {
	conn    rueidis.DedicatedClient
	fixture *bench.Fixture
	count   int64
	entries []rawEntry
	ids     []string
}

func newRawMember(conn rueidis.DedicatedClient, f *bench.Fixture, count int64) *rawMember {
	return &rawMember{conn: conn, fixture: f, count: count}
}

func (m *rawMember) run(ctx context.Context, each func([]byte)) error {
	quiet := context.WithoutCancel(ctx)
	create := m.conn.B().XgroupCreate().Key(m.fixture.Topic).Group(m.fixture.Group).Id("0").Mkstream().Build()
	if err := m.conn.Do(quiet, create).Error(); err != nil {
		return err
	}
	for left := m.fixture.Messages; left > 0 && ctx.Err() == nil; left -= len(m.entries) {
		if err := m.read(quiet); err != nil {
			return err
		}
		for i := range m.entries {
			payload, err := m.entries[i].payload()
			if err != nil {
				return err
			}
			each(payload)
		}
		if err := m.ack(quiet); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (m *rawMember) read(ctx context.Context) error {
	reply := m.conn.Do(ctx, m.conn.B().Xreadgroup().Group(m.fixture.Group, "consumer").
		Count(m.count).Block(rawBlock).Streams().Key(m.fixture.Topic).Id(">").Build())
	var err error
	m.entries, err = rawEntries(m.entries[:0], reply, m.fixture.Topic)
	return err
}

func (m *rawMember) ack(ctx context.Context) error {
	if len(m.entries) == 0 {
		return nil
	}
	m.ids = m.ids[:0]
	for i := range m.entries {
		m.ids = append(m.ids, m.entries[i].id)
	}
	return m.conn.Do(ctx, m.conn.B().Xack().Key(m.fixture.Topic).Group(m.fixture.Group).Id(m.ids...).Build()).Error()
}
