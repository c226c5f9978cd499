package redisstream_test

import (
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestCallsNameTheMissingRight(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do(t, "XADD", "orders", "*", "a", "1")
	server.Do(t, "XADD", "invoices", "*", "a", "1")
	server.Do(t, append([]string{"ACL", "SETUSER", "publisher", "on", ">secret"}, rightsOf(t, "publisher")("orders")...)...)
	server.Do(t, append([]string{"ACL", "SETUSER", "administrator", "on", ">secret"}, rightsOf(t, "administrator")("invoices")...)...)
	publishing, administering := server.Client(t, asUser("publisher")), server.Client(t, asUser("administrator"))
	publisher := newPublisher(t, publishing)
	divide := publisherWith(t, redisstream.PublisherConfig{Client: publishing, Partitions: divided(2)})
	member := newSubscriber(t, server, redisstream.SubscriberConfig{Client: publishing, ConsumerGroup: "billing"})
	follower := newSubscriber(t, server, redisstream.SubscriberConfig{Client: publishing})
	admin := newSubscriber(t, server, redisstream.SubscriberConfig{Client: administering, ConsumerGroup: "billing"})
	letters, err := admin.DeadLetters("orders")
	require.NoError(t, err)
	_, subscribed := member.Subscribe(t.Context(), "orders")
	_, followed := follower.Subscribe(t.Context(), "orders")
	_, counted := letters.Len(t.Context())
	_, listed := letters.List(t.Context(), "", 1)
	_, requeued := letters.Requeue(t.Context(), "1-1")
	_, deleted := letters.Delete(t.Context(), "1-1")
	for _, c := range []struct {
		right string
		err   error
	}{
		{"(+xadd ~invoices)", publisher.Publish("invoices", newMessages(1)...)},
		{"(+xadd ~invoices)", publisher.Publish("invoices", newMessages(2)...)},
		{"(+hget ~{invoices}:partitions)", divide.Publish("invoices", newMessages(1)...)},
		{"+evalsha", divide.Publish("orders", newMessages(1)...)}, // nobody has recorded the number
		{"+xgroup|create", subscribed},
		{"+xinfo|stream", followed},
		{"(+xgroup|create ~orders)", admin.SubscribeInitialize("orders")},
		{"(+xlen ~{orders}:dead:billing)", counted},
		{"(+xrange ~{orders}:dead:billing)", listed},
		{"(+xrange ~{orders}:dead:billing)", requeued},
		{"(+xdel ~{orders}:dead:billing)", deleted},
		{"(+eval +evalsha ~{orders}:partitions)", redisstream.SwitchPartitions(t.Context(), administering, "orders", 1, 2)},
	} {
		var lacking *redisstream.RightError
		require.ErrorAs(t, c.err, &lacking)
		require.Equal(t, c.right, lacking.Right)
		require.ErrorContains(t, c.err, "lacks the right "+c.right)
		var reply *rueidis.RedisError
		require.ErrorAs(t, c.err, &reply)
	}
}

func TestLogNamesTheRightThatWasTakenAway(t *testing.T) {
	t.Parallel()
	for right, said := range map[string]string{"-xack": "+xack", "-xreadgroup": "+xreadgroup", "resetkeys": "~orders)"} {
		t.Run(right, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			server.Do(t, append([]string{"ACL", "SETUSER", "group-consumer", "on", ">secret"}, rightsOf(t, "group-consumer")("orders")...)...)
			s, l := newLoggedSubscriber(t, server, redisstream.SubscriberConfig{Client: server.Client(t, asUser("group-consumer")), ConsumerGroup: "billing"})
			out := subscribe(t, s, "orders")
			publish(t, newPublisher(t, server.Client(t)), "orders", 2)
			held := receive(t, out, healTime)
			server.Do(t, "ACL", "SETUSER", "group-consumer", right)
			require.True(t, held.Ack())
			publish(t, newPublisher(t, server.Client(t)), "orders", 2)
			eventually(t, 3*healTime, func() bool { return l.contains("lacks the right") && l.contains(said) }, "the log says so")
			server.Do(t, append([]string{"ACL", "SETUSER", "group-consumer"}, rightsOf(t, "group-consumer")("orders")...)...)
		})
	}
}
