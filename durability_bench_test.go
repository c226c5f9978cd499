package redisstream_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// BenchmarkPublishDurable publishes to a master with a replica, without waiting for it and
// with. One operation is one message. Rounds of both take turns, and the ratio is reported.
func BenchmarkPublishDurable(b *testing.B) {
	for _, c := range []struct{ goroutines, batch int }{{1, 1}, {8, 1}, {64, 1}, {1, 100}} {
		b.Run(fmt.Sprintf("goroutines=%d/batch=%d", c.goroutines, c.batch), func(b *testing.B) {
			master, _ := newPair(b)
			client := master.Client(b)
			off, on := newPublisher(b, client), durablePublisher(b, client, redisstream.Durability{Replicas: 1})
			var times [2]time.Duration
			const rounds = 10
			each := max(b.N/(rounds*c.goroutines*c.batch), 1)
			b.ResetTimer()
			for range rounds {
				for i, p := range []*redisstream.Publisher{off, on} {
					begin := time.Now()
					var work sync.WaitGroup
					for range c.goroutines {
						work.Go(func() {
							for range each {
								require.NoError(b, p.Publish("orders", newMessages(c.batch)...))
							}
						})
					}
					work.Wait()
					times[i] += time.Since(begin)
				}
			}
			n := float64(rounds * each * c.goroutines * c.batch)
			b.ReportMetric(float64(times[0].Nanoseconds())/n, "off-ns/op")
			b.ReportMetric(float64(times[1].Nanoseconds())/n, "on-ns/op")
			b.ReportMetric(float64(times[1])/float64(times[0]), "ratio")
			b.ReportMetric(float64(waits(b, master))/n, "waits/op")
		})
	}
}
