package cases

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

const (
	clusterMasters = 3
	clusterParts   = 64
)

// office is a publisher and a subscriber of ours that share a client of a cluster.
type office struct {
	*servers.Cluster

	fixture    *bench.Fixture
	client     rueidis.Client
	publisher  *redisstream.Publisher
	subscriber *redisstream.Subscriber
	seen       *countdown
	handlers   sync.WaitGroup
}

// openOffice starts a cluster. With partitions, that is how many each topic has.
func openOffice(ctx context.Context, f *bench.Fixture, masters, partitions int) (*office, error) {
	cluster, err := servers.StartCluster(ctx, masters)
	if err != nil {
		return nil, err
	}
	o := &office{Cluster: cluster, fixture: f, seen: newCountdown(f.Messages)}
	if err := o.connect(partitions); err != nil {
		return nil, errors.Join(err, o.close())
	}
	return o, nil
}

func (o *office) connect(partitions int) error {
	var err error
	if o.client, err = rueidis.NewClient(contestant.Recommended(o.Addr())); err != nil {
		return err
	}
	publishing := redisstream.PublisherConfig{Client: o.client}
	subscribing := redisstream.SubscriberConfig{Client: o.client, ConsumerGroup: o.fixture.Group, MaxInFlight: manyFlights}
	if partitions > 0 {
		count := func(string) int { return partitions }
		publishing.Partitions, subscribing.Partitions = count, count
		subscribing.MaxInFlight = 1 // for each of them
	}
	if o.publisher, err = redisstream.NewPublisher(publishing, nil); err != nil {
		return err
	}
	o.subscriber, err = redisstream.NewSubscriber(subscribing, nil)
	return err
}

// subscribe has messages of a topic counted and acked.
func (o *office) subscribe(ctx context.Context, topic string) error {
	messages, err := o.subscriber.Subscribe(ctx, topic)
	if err != nil {
		return err
	}
	o.handlers.Go(func() {
		for msg := range messages {
			o.seen.one()
			msg.Ack()
		}
	})
	return nil
}

// publish publishes the messages of the round in batches, from a goroutine for each topic.
func (o *office) publish(ctx context.Context, topics []string) error {
	var publishing sync.WaitGroup
	errs := make([]error, len(topics))
	for i, topic := range topics {
		share := (o.fixture.Messages + i) / len(topics)
		publishing.Go(func() { errs[i] = o.publishTo(ctx, topic, share) })
	}
	publishing.Wait()
	return errors.Join(errs...)
}

func (o *office) publishTo(ctx context.Context, topic string, n int) error {
	messages := traffic.Messages(min(n, 10*batchSize))
	return publishing{batch: batchSize}.repeat(ctx, o.publisher, topic, messages, n)
}

// work is what the messages of a round take.
type work struct {
	took    time.Duration
	client  time.Duration // processor time of this process
	masters []servers.Load
}

// percent is the share of a core.
func (w work) percent(cpu time.Duration) float64 { return 100 * cpu.Seconds() / w.took.Seconds() }

// work subscribes to the topics, publishes, and waits until all messages have come. Subscribing does
// not count.
func (o *office) work(ctx context.Context, topics []string) (work, error) {
	for _, topic := range topics {
		if err := o.subscribe(ctx, topic); err != nil {
			return work{}, err
		}
	}
	before, err := o.Loads(ctx)
	if err != nil {
		return work{}, err
	}
	cpu, err := processCPU()
	if err != nil {
		return work{}, err
	}
	start := o.fixture.Start()
	if err := errors.Join(o.publish(ctx, topics), o.seen.await(ctx)); err != nil {
		return work{}, err
	}
	w := work{took: time.Since(start)}
	if w.client, err = processCPU(); err != nil {
		return work{}, err
	}
	w.client -= cpu
	w.masters, err = o.Loads(ctx)
	for i := range w.masters {
		w.masters[i] = w.masters[i].Since(before[i])
	}
	return w, err
}

func (o *office) close() (err error) {
	defer o.Stop()
	if o.client != nil {
		defer o.client.Close()
	}
	if o.subscriber != nil {
		err = o.subscriber.Close()
	}
	o.handlers.Wait()
	if o.publisher != nil {
		err = errors.Join(err, o.publisher.Close())
	}
	return err
}
