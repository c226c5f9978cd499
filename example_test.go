package redisstream_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// The README has this program, with the address of a server of its own.
//
//nolint:errcheck // it is kept as short as it can be
func Example() {
	client, _ := rueidis.NewClient(redisstream.ClientOption(shared.Addr()))
	defer client.Close()

	publisher, _ := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, nil)
	defer publisher.Close()
	subscriber, _ := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:        client,
		ConsumerGroup: "billing",
	}, nil)
	defer subscriber.Close()

	messages, _ := subscriber.Subscribe(context.Background(), "orders")
	_ = publisher.Publish("orders", message.NewMessage(watermill.NewUUID(), []byte("two books")))

	msg := <-messages
	fmt.Println(string(msg.Payload))
	msg.Ack() // or msg.Nack(), and it comes again
	// Output: two books
}

// A router's handler answers with an error, and the message comes again. When
// the context given to Run ends, handlers finish, their acks reach Redis, and
// what nobody has handled goes to another member of the group.
func ExampleSubscriber_router() {
	client, err := rueidis.NewClient(redisstream.ClientOption(shared.Addr()))
	check(err)
	defer client.Close()
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, nil)
	check(err)
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:        client,
		ConsumerGroup: "warehouse",
	}, nil)
	check(err)

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	router := message.NewDefaultRouter(watermill.NopLogger{})
	router.AddConsumerHandler("pack", "parcels", subscriber, func(msg *message.Message) error {
		deliveries, _ := redisstream.DeliveryCountFromContext(msg.Context())
		if deliveries == 1 {
			fmt.Println(string(msg.Payload), "no box of that size")
			return errors.New("no box of that size")
		}
		fmt.Println(string(msg.Payload), "packed at delivery", deliveries)
		stop()
		return nil
	})

	check(publisher.Publish("parcels", message.NewMessage(watermill.NewUUID(), []byte("lamp"))))
	check(router.Run(ctx))
	check(publisher.Close())
	// Output:
	// lamp no box of that size
	// lamp packed at delivery 2
}

// Keep about a thousand entries of the topic "ticks" and everything of others.
// Redis trims in steps, so a stream may be somewhat longer.
func ExampleNewPublisher_maxLen() {
	client, err := rueidis.NewClient(redisstream.ClientOption(shared.Addr()))
	check(err)
	defer client.Close()
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client: client,
		MaxLen: func(topic string) int64 {
			if topic == "ticks" {
				return 1000
			}
			return 0
		},
	}, nil)
	check(err)
	defer func() { check(publisher.Close()) }()

	for range 50 {
		batch := make([]*message.Message, 100)
		for i := range batch {
			batch[i] = message.NewMessage(watermill.NewUUID(), nil)
		}
		check(publisher.Publish("ticks", batch...))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	length, err := client.Do(ctx, client.B().Xlen().Key("ticks").Build()).AsInt64()
	check(err)
	fmt.Println("published 5000, left about 1000:", length >= 1000 && length < 1200)
	// Output: published 5000, left about 1000: true
}

// A Receipt tells which entries the messages became.
func ExampleWithReceipt() {
	client, err := rueidis.NewClient(redisstream.ClientOption(shared.Addr()))
	check(err)
	defer client.Close()
	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{
		Client: client,
		EntryID: func(_ string, msg *message.Message) string {
			return msg.Metadata.Get("offset") + "-*" // the server numbers those with one offset
		},
	}, nil)
	check(err)
	defer func() { check(publisher.Close()) }()

	ctx, receipt := redisstream.WithReceipt(context.Background())
	for _, offset := range []string{"41", "42", "42"} {
		msg := message.NewMessageWithContext(ctx, watermill.NewUUID(), nil)
		msg.Metadata.Set("offset", offset)
		check(publisher.Publish("receipts", msg))
	}
	fmt.Println(receipt.EntryIDs())
	// Output: [41-0 42-0 42-1]
}

func check(err error) {
	if err != nil {
		panic(err) //nolint:forbidigo // an example has no other way to fail
	}
}

func TestReadmeHasTheExample(t *testing.T) {
	t.Parallel()
	between := func(file, begin, end string) string {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, rest, ok := strings.Cut(string(text), begin)
		require.True(t, ok, "%s has no %q", file, begin)
		block, _, ok := strings.Cut(rest, end)
		require.True(t, ok, "%s has no %q", file, end)
		return block
	}
	example := between("example_test.go", "func Example() {\n", "\t// Output:")
	example = strings.ReplaceAll("\n"+example, "\n\t", "\n")
	example = strings.Replace(example, "shared.Addr()", `"localhost:6379"`, 1)
	readme := between("README.md", "```go", "```")
	require.Equal(t, example, readme)
	require.LessOrEqual(t, strings.Count(readme, "\n"), 25)
}
