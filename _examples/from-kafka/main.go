// From-kafka is one program for two brokers: it publishes movements of accounts, and the
// members of a group handle them, those of each account in their order. One movement
// fails at first, and one member leaves in between. All that depends on the broker is in
// kafka.go and redis.go.
//
//	go run .                                 # Redis
//	KAFKA_BROKERS=localhost:9092 go run .    # Kafka
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
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

const (
	topic      = "example-movements" // it stays on the server, as a topic of Kafka does
	group      = "ledger"
	partitions = 4

	// If messages only took turns, an account would change its partition.
	accounts  = 2*partitions - 1
	movements = 12 // of each
	interval  = 20 * time.Millisecond
	patience  = 45 * time.Second
)

// Keys of the metadata.
const (
	accountKey = "account"
	numberKey  = "number" // counts the movements of an account, from 1 on
	runKey     = "run"
)

// accountOf is the key of a message, for both brokers: messages of an account are kept in
// order.
func accountOf(_ string, msg *message.Message) (string, error) {
	return msg.Metadata.Get(accountKey), nil
}

// broker is what this program has to know of one.
type broker struct {
	name       string
	publisher  message.Publisher
	subscriber func() (message.Subscriber, error)         // another member of the group
	partition  func(ctx context.Context) (p int, ok bool) // of a received message
	disconnect func()                                     // comes last
}

func open(logger watermill.LoggerAdapter) (*broker, error) {
	if brokers := os.Getenv("KAFKA_BROKERS"); brokers != "" {
		return openKafka(strings.Split(brokers, ","), logger)
	}
	return openRedis(logger)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "from-kafka:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	logger := watermill.NewSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	broker, err := open(logger)
	if err != nil {
		return err
	}
	defer broker.disconnect()
	fmt.Printf("The broker is %s.\n\n", broker.name)

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	book := newBook(broker.partition)
	err = bank(ctx, broker, book)
	book.show()
	return errors.Join(err, broker.publisher.Close(), book.verdict())
}

// bank works until every movement is booked or ctx ends.
func bank(ctx context.Context, broker *broker, book *book) error {
	// The movement that fails is meant to; the router need not log it.
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	if _, err = join(router, broker, book, "member 1"); err != nil {
		return err
	}
	second, err := join(router, broker, book, "member 2")
	if err != nil {
		return err
	}

	ctx, closeBank := context.WithCancel(ctx)
	defer closeBank()
	published := make(chan error, 1)
	go func() {
		defer closeBank()
		select {
		case <-router.Running():
			published <- publish(ctx, broker.publisher, book, second.Stop)
		case <-ctx.Done():
			published <- nil
		}
	}()
	err = router.Run(ctx)
	closeBank()
	return errors.Join(err, <-published)
}

// join adds a member of the group. In a program of more than one process, each would do
// this.
func join(router *message.Router, broker *broker, book *book, member string) (*message.Handler, error) {
	subscriber, err := broker.subscriber()
	if err != nil {
		return nil, err
	}
	if s, ok := subscriber.(message.SubscribeInitializer); ok {
		if err := s.SubscribeInitialize(topic); err != nil {
			return nil, err
		}
	}
	return router.AddConsumerHandler(member, topic, subscriber, clerk{book, member}.handle), nil
}

// publish publishes all movements, calls leave in between, and waits until they are
// booked.
func publish(ctx context.Context, publisher message.Publisher, book *book, leave func()) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for number := 1; number <= movements; number++ {
		if number == movements*2/3 {
			leave()
		}
		for account := range accounts {
			msg := message.NewMessage(watermill.NewUUID(), nil)
			msg.Metadata.Set(runKey, book.run)
			msg.Metadata.Set(accountKey, "account "+strconv.Itoa(account))
			msg.Metadata.Set(numberKey, strconv.Itoa(number))
			if err := publisher.Publish(topic, msg); err != nil {
				return err
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	select {
	case <-book.complete:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not everything was handled: %w", ctx.Err())
	}
}
