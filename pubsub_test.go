package redisstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

func TestMessagesGoThroughAGroupInOrder(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	uuids := publish(t, newPublisher(t, client), topic, 1000)
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	require.Equal(t, uuids, receiveAndAck(t, out, len(uuids), 5*time.Second))
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "acks reach Redis")
}

func TestEachSubscriptionWithoutGroupSeesEverythingPublishedAfterSubscribe(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	publisher := newPublisher(t, client)
	publish(t, publisher, topic, 3) // before anybody subscribed
	subscriber := newSubscriber(t, shared, redisstream.SubscriberConfig{})
	first, second := subscribe(t, subscriber, topic), subscribe(t, subscriber, topic)
	uuids := publish(t, publisher, topic, 100)
	require.Equal(t, uuids, receiveAndAck(t, first, len(uuids), 5*time.Second))
	require.Equal(t, uuids, receiveAndAck(t, second, len(uuids), 5*time.Second))
}

func TestCloseWhileNobodyReceives(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	publish(t, newPublisher(t, client), topic, 10)
	subscriber := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"})
	out, err := subscriber.Subscribe(context.Background(), topic)
	require.NoError(t, err)
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") > 0 }, "an entry is read")
	start := time.Now()
	require.NoError(t, subscriber.Close())
	require.Less(t, time.Since(start), 5*time.Second)
	_, open := <-out
	require.False(t, open)
	require.Equal(t, []string{"~released"}, consumers(t, shared, topic, "g"))
}
