package cases

import (
	"context"
	"errors"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

// partitionCoordination has a limit of a hundredth of a core, as coordination has.
func partitionCoordination() bench.Case {
	return bench.Case{
		Name: "partition-coordination", Rounds: 1, Timeout: 2 * time.Minute,
		Metrics: []bench.Metric{
			{Name: "leases and beats", Unit: "% of a core", Limits: []bench.Limit{{Cost: 1}}},
			{Name: "reads", Unit: "% of a core"},
			{Name: "Redis without them", Unit: "% of a core"},
			{Name: "commands", Unit: "per second"},
		},
		Contestants: []bench.Contestant{{Name: bench.Ours, Run: keepPartitions}},
	}
}

// keepPartitions measures what 20 members of a group ask of Redis to keep 100 partitions in which
// nothing happens.
func keepPartitions(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
	base, err := observe(ctx, f, window(f, 10*time.Second))
	if err != nil {
		return nil, err
	}
	c := newCrew(f, contestant.Small, members(f, 100))
	defer func() { err = errors.Join(err, c.Close()) }()
	for range members(f, 20) {
		if err := c.join(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.settle(ctx, len(c.members)); err != nil {
		return nil, err
	}
	if err := elapse(ctx, window(f, leaseTTL)); err != nil { // what the start asks for
		return nil, err
	}
	seen, err := observe(ctx, f, window(f, 30*time.Second), "ping")
	if err != nil {
		return nil, err
	}
	t := tell(seen)
	f.Note("per second: %.1f renewals of leases, %.1f beats, %.1f reads with as many looks for a gap, %.1f waits for news of the members",
		t.second(t.scripts-t.beats), t.second(t.beats), t.second(t.reads), t.second(t.waits))
	f.Note("in %.1f s: %s", seen.took.Seconds(), seen.PerSecond(seen.took))
	// What Redis does besides, such as to receive a command, is divided as the commands' time is.
	without := base.percent(base.cpu)
	scripts, reads := seen.percent(t.inScripts), seen.percent(t.inReads)
	times := max((seen.percent(seen.cpu)-without)/(scripts+reads), 1)
	return []float64{times * scripts, times * reads, without, t.second(t.scripts + 2*t.reads + t.waits)}, nil
}

// tally tells the commands of members from each other. Nothing happens but what is regular.
type tally struct {
	took               time.Duration
	scripts, beats     int64
	reads, waits       int64
	inScripts, inReads time.Duration
}

// tell uses that a script to renew a lease looks for pending entries as each read does, and that only
// beats have a sorted set.
func tell(seen activity) tally {
	scripts, gaps := seen.Commands["evalsha"], seen.Commands["xpending"]
	reads, waits := seen.Commands["xreadgroup"], seen.Commands["xread"]
	share := min(float64(reads.Calls)/float64(max(gaps.Calls, 1)), 1)
	return tally{
		took:    seen.took,
		scripts: scripts.Calls, beats: seen.Commands["zadd"].Calls,
		reads: reads.Calls, waits: waits.Calls,
		inScripts: scripts.Time, inReads: reads.Time + waits.Time + time.Duration(share*float64(gaps.Time)),
	}
}

func (t tally) second(n int64) float64 { return float64(n) / t.took.Seconds() }
