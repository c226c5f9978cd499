package cases

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

// scalingTopics are as many for each of one, two and three masters.
const scalingTopics = 12

// clusterScaling asks what more masters are worth. They share the cores of one machine with the
// client, so what tells is the processor time of the masters for each message: on machines of their
// own, each has as much of that.
func clusterScaling() bench.Case {
	c := bench.Case{
		Name: "cluster-scaling", Messages: 240_000, Aside: true,
		Metrics: []bench.Metric{
			{Name: "time", Unit: "µs/message", Rate: true},
			{Name: "time of the masters", Unit: "µs of Redis/message"},
			{Name: "time of the busiest master", Unit: "µs of Redis/message"},
			{Name: "time of the client", Unit: "µs of the process/message"},
		},
		Contestants: []bench.Contestant{{Name: bench.Ours, Run: scaleOver(1)}},
	}
	for _, n := range []int{2, 3} {
		c.Contestants = append(c.Contestants, bench.Contestant{Name: fmt.Sprintf("ours, %d masters", n), Run: scaleOver(n)})
	}
	return c
}

// evenTopics are names that are spread evenly: a name decides, and luck is not what is measured.
func evenTopics() []string {
	const parts = 6 // each master of one, two and three has as many of them
	topics, has := make([]string, 0, scalingTopics), [parts]int{}
	for i := 0; len(topics) < scalingTopics; i++ {
		topic := fmt.Sprintf("topic-%d", i)
		if part := servers.MasterOf(topic, parts); has[part] < scalingTopics/parts {
			has[part]++
			topics = append(topics, topic)
		}
	}
	return topics
}

// scaleOver publishes and consumes at the same time.
func scaleOver(masters int) runFunc {
	return func(ctx context.Context, f *bench.Fixture) (values []float64, err error) {
		o, err := openOffice(ctx, f, masters, 0)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, o.close()) }()
		work, err := o.work(ctx, evenTopics())
		if err != nil {
			return nil, err
		}
		var sum, most time.Duration
		shares := make([]string, masters)
		for i, load := range work.masters {
			sum, most = sum+load.CPU, max(most, load.CPU)
			shares[i] = fmt.Sprintf("master %d %.0f %%", i+1, work.percent(load.CPU))
		}
		n := float64(f.Messages)
		f.Note("of a core: client %.0f %%, %s; %.0f messages per second of the masters' time",
			work.percent(work.client), strings.Join(shares, ", "), n/sum.Seconds())
		return []float64{micros(work.took) / n, micros(sum) / n, micros(most) / n, micros(work.client) / n}, nil
	}
}
