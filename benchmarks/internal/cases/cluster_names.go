package cases

import (
	"context"
	"fmt"
	"slices"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

const (
	// names is how many topics are looked at.
	names = 200
	// even is how far from the mean a master may be to count as even.
	even = 0.2
)

// clusterNames asks how even the partitions of a topic are spread over masters, by the names of
// topics. Nothing is sent: a name decides.
func clusterNames() bench.Case {
	var contestants []bench.Contestant
	for _, n := range []int{64, 16, 32, 128, 256, 1024} {
		name := fmt.Sprintf("ours, %d partitions", n)
		if n == clusterParts {
			name = bench.Ours
		}
		contestants = append(contestants, bench.Contestant{Name: name, Run: namesOf(n)})
	}
	return bench.Case{
		Name: "cluster-names", Rounds: 1, Aside: true,
		Metrics: []bench.Metric{
			{Name: "within 20 % of even", Unit: "% of names"},
			{Name: "median of the fullest master", Unit: "times the mean"},
			{Name: "worst of the fullest master", Unit: "times the mean"},
		},
		Contestants: contestants,
	}
}

func namesOf(partitions int) runFunc {
	return func(context.Context, *bench.Fixture) ([]float64, error) {
		most, within := make([]float64, names), 0
		for i := range names {
			has := make([]float64, clusterMasters)
			topic := topicName(i)
			for p := range partitions {
				has[servers.MasterOf(xstream.PartitionStream(topic, p, partitions), clusterMasters)]++
			}
			var least float64
			if most[i], least = spread(has); most[i] <= 1+even && least >= 1-even {
				within++
			}
		}
		slices.Sort(most)
		return []float64{100 * float64(within) / names, most[names/2], most[names-1]}, nil
	}
}

// topicName is one as people choose them.
func topicName(i int) string {
	words := []string{
		"orders", "payments", "invoices", "users", "user-events", "emails", "audit", "shipments", "carts", "clicks",
		"metrics", "webhooks", "sessions", "stock", "prices", "refunds", "searches", "logins", "uploads", "reports",
	}
	endings := []string{"", "-eu", "-us", ".v1", ".v2", ":dev", "_created", "_updated", "-7", "-2026"}
	return words[i%len(words)] + endings[i/len(words)]
}

// spread is what the fullest and the emptiest have, in times the mean.
func spread(has []float64) (most, least float64) {
	var sum float64
	for _, n := range has {
		sum += n
	}
	mean := sum / float64(len(has))
	return slices.Max(has) / mean, slices.Min(has) / mean
}
