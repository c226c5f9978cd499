package redisstream_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
)

// A handler rejects a message, which moves to the dead letters of its group. When
// the cause is gone, it is put back.
func ExampleSubscriber_DeadLetters() {
	client, err := rueidis.NewClient(redisstream.ClientOption(shared.Addr()))
	check(err)
	defer client.Close()
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, nil)
	check(err)
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:        client,
		ConsumerGroup: "billing",
		MaxDeliveries: 5, // for those that are neither rejected nor acked
	}, nil)
	check(err)
	defer func() { check(subscriber.Close()) }()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	messages, err := subscriber.Subscribe(ctx, "invoices")
	check(err)
	check(publisher.Publish("invoices", message.NewMessage(watermill.NewUUID(), []byte("12 €"))))

	msg := <-messages
	_ = redisstream.Reject(msg.Context(), errors.New("unknown currency")) // a router's handler returns it
	msg.Nack()

	dead, err := subscriber.DeadLetters("invoices")
	check(err)
	var letters []redisstream.DeadLetter
	for len(letters) == 0 { // the move takes a moment
		letters, err = dead.List(ctx, "", 100)
		check(err)
	}
	fmt.Println(letters[0].Reason, letters[0].Deliveries)

	_, err = dead.Requeue(ctx, letters[0].ID)
	check(err)
	msg = <-messages
	fmt.Println(string(msg.Payload))
	msg.Ack()
	// Output:
	// unknown currency 1
	// 12 €
}
