package cases

import (
	"context"
	"errors"
	"fmt"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// clusterSpread asks how even three masters share the work of 64 partitions of a topic, and of 64
// topics. All get as many messages.
func clusterSpread() bench.Case {
	metrics := make([]bench.Metric, 0, 6)
	for _, what := range []string{"streams", "commands", "bytes"} {
		metrics = append(metrics,
			bench.Metric{Name: what + " of the busiest master", Unit: "times the mean"},
			bench.Metric{Name: what + " of the idlest master", Unit: "times the mean"},
		)
	}
	return bench.Case{
		Name: "cluster-spread", Messages: 128_000, Aside: true, Metrics: metrics,
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: spreadOver([]string{"orders"}, clusterParts)},
			{Name: "ours, 64 topics", Run: spreadOver(numbered("orders", clusterParts), 0)},
		},
	}
}

func numbered(name string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s-%d", name, i)
	}
	return all
}

// spreadOver publishes and consumes the messages of the round.
func spreadOver(topics []string, partitions int) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		o, err := openOffice(ctx, f, clusterMasters, partitions)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, o.close()) }()
		work, err := o.work(ctx, topics)
		if err != nil {
			return nil, err
		}
		streams := streamsOf(topics, max(partitions, 1))
		calls, bytes := make([]float64, clusterMasters), make([]float64, clusterMasters)
		for i, load := range work.masters {
			calls[i], bytes[i] = float64(load.Calls), float64(load.Bytes)
			f.Note("master %d: %.0f streams, %.0f commands, %.1f MB, %d ms of processor time",
				i+1, streams[i], calls[i], bytes[i]/1e6, load.CPU.Milliseconds())
		}
		for _, has := range [][]float64{streams, calls, bytes} {
			most, least := spread(has)
			values = append(values, most, least)
		}
		return values, nil
	}
}

// streamsOf is how many streams of the topics each master has.
func streamsOf(topics []string, partitions int) []float64 {
	has := make([]float64, clusterMasters)
	for _, topic := range topics {
		for p := range partitions {
			has[servers.MasterOf(xstream.PartitionStream(topic, p, partitions), clusterMasters)]++
		}
	}
	return has
}
