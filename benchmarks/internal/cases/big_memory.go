package cases

import (
	"context"
	"errors"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
)

const (
	// handling is how long a caller takes for a message: longer than Redis for the next one.
	handling = 5 * time.Millisecond
	// sampling is how often the heap is looked at.
	sampling = time.Millisecond

	// mostBig is what may be in use, in MiB: ours has 8 MiB of entries at hand at most. There are
	// also the message in hand, its copy, one that is acked, a connection for reads, and what has
	// died while the collector marked.
	mostBig = 8 + 3 + 2 + 3
	// mostHuge is the same with one entry at hand, of more than 1 MiB.
	mostHuge = 2 + 3 + 2 + 3

	oursHuge = "ours, over 1 MiB"
)

func memoryOfBig() bench.Case {
	limits := []bench.Limit{
		{Contestants: []string{bench.Ours}, Cost: mostBig},
		{Contestants: []string{oursHuge}, Cost: mostHuge},
	}
	return bench.Case{
		Name: "big-messages-memory", Messages: 300,
		Metrics: []bench.Metric{
			{Name: "heap", Unit: "MiB"},
			{Name: "in use", Unit: "MiB", Limits: limits},
		},
		Contestants: []bench.Contestant{
			{Name: bench.Ours, Run: onBacklog(big{ours(), bigSize}, hold)},
			{Name: oursHuge, Run: onBacklog(big{ours(), hugeSize}, hold)},
		},
	}
}

// hold measures by how much the heap grows while a caller takes its time with big messages.
func hold(ctx context.Context, f *bench.Fixture, s *contestant.Session) ([]float64, error) {
	f.Start()
	before, peak := sampleHeap(), watchHeap(ctx)
	errConsume := s.Consume(ctx, func([]byte) { _ = elapse(ctx, handling) })
	most := peak.stop()
	if err := errors.Join(errConsume, ctx.Err()); err != nil {
		return nil, err
	}
	return []float64{most.all - before.all, most.used - before.used}, nil
}

// heap is a state of the heap, in MiB.
type heap struct {
	all  float64 // with garbage that has not been collected
	used float64 // what the last collection has left
}

func sampleHeap() heap {
	const mib = 1 << 20
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return heap{all: float64(samples[0].Value.Uint64()) / mib, used: float64(samples[1].Value.Uint64()) / mib}
}

// heapPeak has the most of many samples.
type heapPeak struct {
	ending atomic.Bool
	ended  chan heap
}

func watchHeap(ctx context.Context) *heapPeak {
	p := &heapPeak{ended: make(chan heap, 1)} // nobody may ask
	go func() {
		most := sampleHeap()
		for !p.ending.Load() && elapse(ctx, sampling) == nil {
			now := sampleHeap()
			most = heap{all: max(most.all, now.all), used: max(most.used, now.used)}
		}
		p.ended <- most
	}()
	return p
}

func (p *heapPeak) stop() heap {
	p.ending.Store(true)
	return <-p.ended
}
