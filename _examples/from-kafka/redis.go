package main

import (
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream"
)

// openRedis makes the same of this library.
func openRedis(logger watermill.LoggerAdapter) (*broker, error) {
	client, server, disconnect, err := connect()
	if err != nil {
		return nil, err
	}
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client:       client,
		Partitions:   func(string) int { return partitions },
		PartitionKey: accountOf,
		MaxLen:       func(string) int64 { return 10_000 }, // of each partition: Redis keeps all without it
	}, logger)
	if err != nil {
		disconnect()
		return nil, err
	}
	return &broker{
		name:      "Redis, " + server,
		publisher: publisher,
		subscriber: func() (message.Subscriber, error) {
			return redisstream.NewSubscriber(redisstream.SubscriberConfig{
				Client:        client,
				ConsumerGroup: group,
				Partitions:    func(string) int { return partitions },
			}, logger)
		},
		partition:  redisstream.PartitionFromContext,
		disconnect: disconnect, // the client is ours: neither Publisher nor Subscriber closes it
	}, nil
}
