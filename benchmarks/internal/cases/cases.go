// Package cases has the cases that are compared, and what each of them asks of ours.
package cases

import (
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

// The names of the contestants besides [bench.Ours].
const (
	incumbent   = "incumbent"
	gochannel   = "gochannel"
	nats        = "nats"
	raw         = "raw"
	rawDefault  = "raw, default options"
	rawSingle   = "raw, one connection"
	rawDelayed  = "raw, flush delay 20µs"
	raw100      = "raw, COUNT 100"
	raw256      = "raw, COUNT 256"
	raw1000     = "raw, COUNT 1000"
	oursOne     = "ours, 1 in flight"
	rawCount    = 256
	manyFlights = 64
)

// All returns all cases in the order of the table.
func All() []bench.Case {
	return []bench.Case{
		publishBatches(),
		publishConcurrently(),
		publishConcurrentlyDefault(),
		publishOneAtATime(),
		consumeChannel(),
		consumeRouter(),
		consumeRouterMany(),
		pipeline(),
		fanOut(),
		latency(),
		serverCPU(),
		allocations(),
		coordination(),
		idle(),
		consumeFlat(),
		scaling(),
		consumePartitions(),
		partitionRebalance(),
		partitionCoordination(),
		publishBig(),
		consumeBig(),
		memoryOfBig(),
		clusterNames(),
		clusterSpread(),
		clusterScaling(),
		claimRedelivery(),
		claimBacklog(),
		claimIdle(1),
		claimIdle(10),
		claimLoad(),
		claimLook(),
	}
}

func ours() contestant.Ours { return contestant.Ours{Options: contestant.Recommended} }

func oursManyInFlight() contestant.Ours {
	return contestant.Ours{Options: contestant.Recommended, InFlight: manyFlights}
}

func rawReader(count int64) contestant.Raw {
	return contestant.Raw{Options: contestant.Recommended, Count: count}
}

// speed is the metric of most cases.
func speed(targets ...bench.Target) []bench.Metric {
	return []bench.Metric{{Unit: "µs/message", Rate: true, Targets: targets}}
}

// than is a target: ours is at least so many times as fast as the best of the others.
func than(times float64, others ...string) bench.Target {
	return bench.Target{Others: others, Value: times}
}
