package servers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CommandStats are the calls of a command, and what they cost the server.
type CommandStats struct {
	Calls int64
	Time  time.Duration
}

// Stats are what the server has done. INFO, with which they are asked for, is left out.
type Stats struct {
	Commands    map[string]CommandStats
	Connections int64 // without that of Redis' own client
}

// Stats asks what the server has done so far.
func (r *Redis) Stats(ctx context.Context) (Stats, error) {
	commands, err := r.info(ctx, "commandstats")
	if err != nil {
		return Stats{}, err
	}
	s := Stats{Commands: make(map[string]CommandStats, len(commands))}
	for key, value := range commands {
		name, ok := strings.CutPrefix(key, "cmdstat_")
		if !ok || name == "info" {
			continue
		}
		var calls, usec int64
		if _, err := fmt.Sscanf(value, "calls=%d,usec=%d,", &calls, &usec); err != nil {
			return Stats{}, fmt.Errorf("commandstats %s: %w", value, err)
		}
		s.Commands[name] = CommandStats{calls, time.Duration(usec) * time.Microsecond}
	}
	clients, err := r.info(ctx, "clients")
	if err != nil {
		return Stats{}, err
	}
	s.Connections, err = strconv.ParseInt(clients["connected_clients"], 10, 64)
	s.Connections--
	return s, err
}

// Since is what was done after an earlier time, without some commands.
func (s Stats) Since(before Stats, without ...string) Stats {
	diff := Stats{Commands: map[string]CommandStats{}, Connections: s.Connections}
	for name, now := range s.Commands {
		then := before.Commands[name]
		if now.Calls > then.Calls && !slices.Contains(without, name) {
			diff.Commands[name] = CommandStats{now.Calls - then.Calls, now.Time - then.Time}
		}
	}
	return diff
}

// Total is the sum of all commands. What a script calls counts twice: by itself, and as a part of
// the script.
func (s Stats) Total() CommandStats {
	var total CommandStats
	for _, c := range s.Commands {
		total.Calls += c.Calls
		total.Time += c.Time
	}
	return total
}

// PerSecond lists the commands, those of most time first.
func (s Stats) PerSecond(window time.Duration) string {
	names := slices.SortedFunc(maps.Keys(s.Commands), func(a, b string) int {
		return int(s.Commands[b].Time - s.Commands[a].Time)
	})
	for i, name := range names {
		c := s.Commands[name]
		names[i] = fmt.Sprintf("%s %.2f/s %.0f µs/s", name,
			float64(c.Calls)/window.Seconds(), float64(c.Time.Microseconds())/window.Seconds())
	}
	return strings.Join(names, ", ")
}

// AwaitPending waits until so many entries, and no more, are pending in the group.
func (r *Redis) AwaitPending(ctx context.Context, stream, group string, left int64) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		pending, err := r.pending(ctx, stream, group)
		if err != nil || pending == left {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d entries are pending: %w", pending, ctx.Err())
		case <-tick.C:
		}
	}
}

var errFewer = errors.New("fewer entries than asked for")
