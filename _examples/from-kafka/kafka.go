package main

import (
	"context"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
)

// openKafka makes a Publisher, and members of the group, of watermill-kafka.
func openKafka(brokers []string, logger watermill.LoggerAdapter) (*broker, error) {
	marshaler := kafka.NewWithPartitioningMarshaler(accountOf)
	publisher, err := kafka.NewPublisher(kafka.PublisherConfig{Brokers: brokers, Marshaler: marshaler}, logger)
	if err != nil {
		return nil, err
	}
	config := kafka.DefaultSaramaSubscriberConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest // for a new group; Sarama begins with the newest
	return &broker{
		name:      "Kafka",
		publisher: publisher,
		subscriber: func() (message.Subscriber, error) {
			return kafka.NewSubscriber(kafka.SubscriberConfig{
				Brokers:                brokers,
				Unmarshaler:            marshaler,
				OverwriteSaramaConfig:  config,
				ConsumerGroup:          group,
				InitializeTopicDetails: &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1},
			}, logger)
		},
		partition: func(ctx context.Context) (int, bool) {
			p, ok := kafka.MessagePartitionFromCtx(ctx)
			return int(p), ok
		},
		disconnect: func() {}, // they have connections of their own
	}, nil
}
