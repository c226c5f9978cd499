package contestant

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
)

// rawFollower reads all of a stream, without a group.
type rawFollower struct {
	conn    rueidis.DedicatedClient
	fixture *bench.Fixture
	count   int64
	last    string
	entries []rawEntry
}

func newRawFollower(conn rueidis.DedicatedClient, f *bench.Fixture, count int64) *rawFollower {
	return &rawFollower{conn: conn, fixture: f, count: count, last: "0"}
}

func (m *rawFollower) run(ctx context.Context, each func([]byte)) error {
	quiet := context.WithoutCancel(ctx)
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
	}
	return ctx.Err()
}

func (m *rawFollower) read(ctx context.Context) error {
	reply := m.conn.Do(ctx, m.conn.B().Xread().Count(m.count).Block(rawBlock).
		Streams().Key(m.fixture.Topic).Id(m.last).Build())
	var err error
	if m.entries, err = rawEntries(m.entries[:0], reply, m.fixture.Topic); err != nil {
		return err
	}
	if len(m.entries) > 0 {
		m.last = m.entries[len(m.entries)-1].id
	}
	return nil
}
