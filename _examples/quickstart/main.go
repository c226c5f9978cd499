// Quickstart publishes orders for some seconds and handles them in a Watermill
// router. One handler fails twice, so its message comes again. It ends by itself;
// Ctrl-C ends it sooner, in the same order.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
)

const (
	group    = "warehouse"
	orders   = 10
	interval = 300 * time.Millisecond
	// The order that is out of stock, and at which delivery it no longer is.
	soldOut, restocked = 4, 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, server, disconnect, err := connect()
	if err != nil {
		return err
	}
	defer disconnect() // the client is ours: neither Publisher nor Subscriber closes it
	fmt.Printf("Redis is %s.\n\n", server)

	s := &shop{topic: "quickstart-" + watermill.NewShortUUID(), start: time.Now(), done: make(chan struct{})}
	if err := s.open(ctx, client); err != nil {
		return err
	}
	return s.summary(ctx, client)
}

// shop publishes orders and handles them.
type shop struct {
	topic string
	start time.Time
	done  chan struct{} // closed when every order is handled

	published, handled, redelivered atomic.Int64
}

// open works until every order is handled or ctx ends.
func (s *shop) open(ctx context.Context, client rueidis.Client) error {
	logger := watermill.NewSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))

	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, logger)
	if err != nil {
		return err
	}
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client:        client,
		ConsumerGroup: group,
		NackBackoff:   func(int) time.Duration { return interval },
	}, logger)
	if err != nil {
		return err
	}

	// The handler prints its own errors, so the router need not.
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	router.AddConsumerHandler("pack", s.topic, subscriber, s.pack)

	ctx, closeShop := context.WithCancel(ctx)
	defer closeShop()
	sold := make(chan error, 1)
	go func() {
		select {
		case <-router.Running():
			sold <- s.sell(ctx, publisher)
		case <-ctx.Done():
			sold <- nil
		}
		closeShop()
	}()

	// Run ends with ctx: no new message, then the handlers finish, then the
	// Subscriber gives back what nobody handled.
	err = router.Run(ctx)
	closeShop()
	return errors.Join(err, <-sold, publisher.Close())
}

// sell publishes the orders and waits until they are handled.
func (s *shop) sell(ctx context.Context, publisher message.Publisher) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for n := 1; n <= orders; n++ {
		msg := message.NewMessage(watermill.NewUUID(), fmt.Append(nil, n))
		s.say("publish", string(msg.Payload), "")
		if err := publisher.Publish(s.topic, msg); err != nil {
			return err
		}
		s.published.Add(1)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			fmt.Println("stopping")
			return nil
		}
	}
	select {
	case <-s.done:
	case <-ctx.Done():
	}
	return nil
}

// pack handles an order. What it returns decides: nil acks the message, an error
// nacks it.
func (s *shop) pack(msg *message.Message) error {
	deliveries, _ := redisstream.DeliveryCountFromContext(msg.Context())
	if deliveries > 1 {
		s.redelivered.Add(1)
	}
	if string(msg.Payload) == strconv.Itoa(soldOut) && deliveries < restocked {
		s.say("   nack", string(msg.Payload), fmt.Sprintf("delivery %d, out of stock", deliveries))
		return errors.New("out of stock")
	}
	s.say("   handle", string(msg.Payload), fmt.Sprintf("delivery %d", deliveries))
	if s.handled.Add(1) == orders {
		close(s.done)
	}
	return nil
}

func (s *shop) say(what, order, how string) {
	line := fmt.Sprintf("%4.1fs  %-9s  %2s  %s", time.Since(s.start).Seconds(), what, order, how)
	fmt.Println(strings.TrimRight(line, " "))
}

// summary shows what has become of the messages, and removes the stream.
func (s *shop) summary(ctx context.Context, client rueidis.Client) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	pending, err := client.Do(ctx, client.B().Xpending().Key(s.topic).Group(group).Build()).ToArray()
	if err != nil {
		return err
	}
	left, err := pending[0].AsInt64()
	if err != nil {
		return err
	}
	fmt.Printf("\npublished %d   handled %d   redelivered %d   pending left %d\n",
		s.published.Load(), s.handled.Load(), s.redelivered.Load(), left)
	return client.Do(ctx, client.B().Del().Key(s.topic).Build()).Error()
}
