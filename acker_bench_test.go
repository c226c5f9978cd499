package redisstream

import (
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// BenchmarkAck acks pending entries as fast as the ledger lets one goroutine, until
// Redis has confirmed them all.
func BenchmarkAck(b *testing.B) {
	const round = 5000 // what is held at once
	client := redistest.Start(b).Client(b)
	p, err := NewPublisher(PublisherConfig{Client: client}, nil)
	require.NoError(b, err)
	s, err := NewSubscriber(SubscriberConfig{Client: client, ConsumerGroup: "g"}, nil)
	require.NoError(b, err)
	sub, err := s.prepareStream(b.Context(), "orders", nil)
	require.NoError(b, err)
	defer sub.free()
	defer sub.reader.disconnect()
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= round {
		b.StopTimer()
		hold(b, sub, p, min(left, round))
		b.StartTimer()
		ackAll(b, sub, min(left, round))
	}
	require.Zero(b, sub.ledger.size())
}

// hold publishes messages and has a subscription that does not run read them.
func hold(b *testing.B, sub *subscription, p *Publisher, n int) {
	b.Helper()
	msgs := make([]*message.Message, n)
	for i := range msgs {
		msgs[i] = message.NewMessage("1", nil)
	}
	require.NoError(b, p.Publish(sub.dispatcher.opener.stream, msgs...))
	for sub.ledger.size() < n {
		require.NoError(b, sub.reader.step(b.Context(), maxPrefetch))
	}
}

// ackAll acks all that a subscription holds, as its dispatcher does.
func ackAll(b *testing.B, sub *subscription, n int) {
	b.Helper()
	member, ok := sub.backing.(*membership)
	require.True(b, ok)
	a := newAcker(sub.ledger, member.member.ack, sub.log)
	sub.dispatcher.acker = a
	var acking sync.WaitGroup
	acking.Go(func() { a.run(b.Context()) })
	for range n {
		sub.dispatcher.done(sub.ledger.next(b.Context(), func() {}))
	}
	close(a.finish)
	acking.Wait()
}
