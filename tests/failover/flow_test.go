package failover_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/testlog"
)

const (
	keys = 6
	// publishEvery is how often each key gets a message.
	publishEvery = 40 * time.Millisecond
)

// flow is a topic, who publishes to it and who reads it.
type flow struct {
	topic      string
	partitions int // 0 = none
	readers    []*readers
	log        *testlog.Log

	mu        sync.Mutex // protects the following fields
	confirmed map[string]bool
	successes map[string][]time.Time // of each key
	failures  map[string]int         // calls of Publish, by error
}

// readers are the members of a group, or a subscription without one.
type readers struct {
	name string

	mu    sync.Mutex // protects the following fields
	seen  map[string]int
	fresh map[string][]time.Time // when something of a key came that had not come before
	first map[string][]int       // numbers of each key, in the order in which they came first
}

func newFlow(topic string, partitions int, log *testlog.Log) *flow {
	return &flow{topic: topic, partitions: partitions, log: log, confirmed: map[string]bool{}, successes: map[string][]time.Time{}, failures: map[string]int{}}
}

func (f *flow) count(string) int { return f.partitions }

// uuid says what a message is: the number that it has among those of its key.
func uuid(key string, n int) string { return key + "/" + strconv.Itoa(n) }

func parse(uuid string) (key string, n int) {
	key, text, _ := strings.Cut(uuid, "/")
	n, _ = strconv.Atoi(text)
	return key, n
}

// read has members of a group work, each with a client of its own.
func (f *flow) read(t *testing.T, s *stage, group string, members int) {
	t.Helper()
	r := &readers{name: f.topic + "@" + group, seen: map[string]int{}, fresh: map[string][]time.Time{}, first: map[string][]int{}}
	f.readers = append(f.readers, r)
	for i := range members {
		config := redisstream.SubscriberConfig{Client: s.client(t), ConsumerGroup: group, LeaseTTL: leaseTTL, CloseTimeout: leaseTTL}
		if f.partitions > 0 {
			config.Partitions = f.count
		}
		if group == "" {
			config.Start = redisstream.StartOldest()
		}
		subscriber, err := redisstream.NewSubscriber(config, f.log.Logger(fmt.Sprint(r.name, "-", i)))
		require.NoError(t, err)
		out, err := subscriber.Subscribe(context.Background(), f.topic)
		require.NoError(t, err)
		var handler sync.WaitGroup
		handler.Go(func() {
			for msg := range out {
				r.handle(msg)
			}
		})
		s.atEnd(func() {
			require.NoError(t, subscriber.Close())
			handler.Wait()
		})
	}
}

func (r *readers) handle(msg *message.Message) {
	r.mu.Lock()
	if r.seen[msg.UUID]++; r.seen[msg.UUID] == 1 {
		key, n := parse(msg.UUID)
		r.fresh[key] = append(r.fresh[key], time.Now())
		r.first[key] = append(r.first[key], n)
	}
	r.mu.Unlock()
	msg.Ack()
}

// write publishes to each key, until stop. What failed is published again before the next.
func (f *flow) write(t *testing.T, s *stage) {
	t.Helper()
	config := redisstream.PublisherConfig{Client: s.client(t), PartitionKey: redisstream.KeyFromMetadata("key"), Durability: s.durability}
	if config.Partitions = f.count; f.partitions == 0 {
		config.Partitions, config.PartitionKey = nil, nil
	}
	publisher, err := redisstream.NewPublisher(config, nil)
	require.NoError(t, err)
	for i := range keys {
		s.writers.Go(func() { f.writeKey(publisher, fmt.Sprint("key-", i), s.stop) })
	}
}

func (f *flow) writeKey(publisher *redisstream.Publisher, key string, stop <-chan struct{}) {
	ticker := time.NewTicker(publishEvery)
	defer ticker.Stop()
	for n := 0; ; {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		msg := message.NewMessage(uuid(key, n), message.Payload("x"))
		msg.Metadata.Set("key", key)
		err := publisher.Publish(f.topic, msg)
		f.note(msg.UUID, err)
		if err == nil {
			n++
		}
	}
}

func (f *flow) note(uuid string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		var failed *redisstream.PublishError
		if errors.As(err, &failed) {
			err = failed.Outcomes[0].Err
		}
		f.failures[err.Error()]++
		return
	}
	f.confirmed[uuid] = true
	key, _ := parse(uuid)
	f.successes[key] = append(f.successes[key], time.Now())
}

// settled reports whether all that was confirmed has come, or how much has not.
func (f *flow) missing(r *readers) (missing []string) {
	f.mu.Lock()
	confirmed := maps.Clone(f.confirmed)
	f.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for uuid := range confirmed {
		if r.seen[uuid] == 0 {
			missing = append(missing, uuid)
		}
	}
	slices.Sort(missing)
	return missing
}

// repeated is how many have come more than once.
func (r *readers) repeated() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, times := range r.seen {
		if times > 1 {
			n++
		}
	}
	return n
}

// disordered are keys of which something came before what was published earlier.
func (r *readers) disordered() (bad []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, numbers := range r.first {
		if !slices.IsSorted(numbers) {
			bad = append(bad, key)
		}
	}
	return bad
}

// gaps are the longest times since some moment without a success of Publish, and without
// anything new for each of the readers, for the worst of the keys.
func (f *flow) gaps(since time.Time) map[string]time.Duration {
	f.mu.Lock()
	all := map[string]time.Duration{f.topic + " publish": gap(f.successes, since)}
	f.mu.Unlock()
	for _, r := range f.readers {
		r.mu.Lock()
		all[r.name] = gap(r.fresh, since)
		r.mu.Unlock()
	}
	return all
}

func gap(byKey map[string][]time.Time, since time.Time) (longest time.Duration) {
	for _, times := range byKey {
		last := since
		for _, at := range times {
			if at.After(since) {
				longest, last = max(longest, at.Sub(last)), at
			}
		}
		longest = max(longest, time.Since(last))
	}
	return longest
}

// goesOn reports whether there was something new everywhere since some moment.
func (f *flow) goesOn(since time.Time) bool {
	f.mu.Lock()
	on := allAfter(f.successes, since)
	f.mu.Unlock()
	for _, r := range f.readers {
		r.mu.Lock()
		on = on && allAfter(r.fresh, since)
		r.mu.Unlock()
	}
	return on
}

func allAfter(byKey map[string][]time.Time, since time.Time) bool {
	for _, times := range byKey {
		if !times[len(times)-1].After(since) {
			return false
		}
	}
	return len(byKey) == keys
}
