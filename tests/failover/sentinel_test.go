package failover_test

import (
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// behindSentinel is a master with a replica, under load.
func behindSentinel(t *testing.T, d redisstream.Durability, opts ...redistest.Option) (*stage, *redistest.Sentinel) {
	t.Helper()
	s, c := setSentinel(t, d, opts...)
	play(t, s, topics())
	return s, c
}

func setSentinel(t *testing.T, d redisstream.Durability, opts ...redistest.Option) (*stage, *redistest.Sentinel) {
	t.Helper()
	c := redistest.StartSentinel(t, opts...)
	node := func(tb testing.TB, _ string) *redistest.Server {
		tb.Helper()
		return c.Master(tb)
	}
	return &stage{servers: c, node: node, durability: d}, c
}

// The old master goes on until it is told, and what it gets then is lost.
func TestSentinelFailsOver(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]redisstream.Durability{"stored": {}, "replicated": replicated} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := behindSentinel(t, d)
			for range 2 {
				s.during(t, "failover", func() time.Time {
					c.Failover(t)
					return time.Now()
				})
			}
			s.judge(t)
		})
	}
}

func TestSentinelMasterDies(t *testing.T) {
	t.Parallel()
	s, c := behindSentinel(t, redisstream.Durability{})
	for range 2 {
		old := c.Master(t)
		s.during(t, "kill", func() time.Time {
			c.Kill(t)
			return time.Now()
		})
		c.Restart(t, old)
	}
	s.judge(t)
}

func TestSentinelMasterHangs(t *testing.T) {
	t.Parallel()
	s, c := behindSentinel(t, redisstream.Durability{})
	for range 2 {
		s.during(t, "hang", func() time.Time {
			old := c.Master(t)
			return s.away(func() {
				c.Depose(t, func(master *redistest.Server) { master.Pause(t) })
			}, func() { c.Resume(t, old) })
		})
	}
	s.judge(t)
}

func TestSentinelMasterIsCutOff(t *testing.T) {
	t.Parallel()
	s, c := behindSentinel(t, redisstream.Durability{}, redistest.Partitionable())
	for range 2 {
		s.during(t, "cut off", func() time.Time {
			old := c.Master(t)
			return s.away(func() {
				c.Depose(t, func(master *redistest.Server) { c.Isolate(t, master) })
			}, func() { c.Rejoin(t, old) })
		})
	}
	s.judge(t)
}

func TestSentinelRollingRestart(t *testing.T) {
	t.Parallel()
	s, c := behindSentinel(t, redisstream.Durability{})
	s.during(t, "rolling restart", func() time.Time {
		replica := c.Replica(t)
		replica.Shutdown(t)
		c.Restart(t, replica)
		old := c.Master(t)
		c.Failover(t)
		old.Shutdown(t)
		c.Restart(t, old)
		return time.Now()
	})
	s.judge(t)
}
