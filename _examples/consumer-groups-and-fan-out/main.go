// Consumer-groups-and-fan-out shows who gets what: of each group one member gets
// a message, and a subscription without a group gets all of them.
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
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
)

const (
	messages = 12
	// work is how long a handler takes: long enough that a message finds the other
	// member of its group free.
	work = 60 * time.Millisecond
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "consumer-groups-and-fan-out:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, server, disconnect, err := connect()
	if err != nil {
		return err
	}
	defer disconnect()
	fmt.Printf("Redis is %s.\n\n", server)

	level := &slog.HandlerOptions{Level: slog.LevelError}
	logger := watermill.NewSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, level)))
	topic := "groups-" + watermill.NewShortUUID()
	listeners := []*listener{
		{name: "everything"}, // no group
		{name: "billing 1", group: "billing"},
		{name: "billing 2", group: "billing"},
		{name: "shipping 1", group: "shipping"},
		{name: "shipping 2", group: "shipping"},
	}
	for _, l := range listeners {
		if err := l.listen(ctx, client, topic, logger); err != nil {
			return err
		}
		defer l.subscriber.Close() //nolint:errcheck,revive // a second Close, for returns before the first
	}

	publisher, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, logger)
	if err != nil {
		return err
	}
	err = publish(publisher, topic)
	wait(ctx, listeners)
	for _, l := range listeners {
		err = errors.Join(err, l.subscriber.Close())
	}
	show(listeners)
	return errors.Join(err, remove(ctx, client, topic))
}

// listener is a member of a group, or somebody who listens alone.
type listener struct {
	name, group string
	subscriber  *redisstream.Subscriber

	mu  sync.Mutex      // protects the following field
	got map[string]bool // by payload
}

// listen subscribes. In a program of more than one process, each would do this.
func (l *listener) listen(ctx context.Context, client rueidis.Client, topic string, logger watermill.LoggerAdapter) (err error) {
	l.got = map[string]bool{}
	l.subscriber, err = redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: client, ConsumerGroup: l.group}, logger)
	if err != nil {
		return err
	}
	received, err := l.subscriber.Subscribe(ctx, topic)
	if err != nil {
		return err
	}
	go func() {
		for msg := range received {
			time.Sleep(work)
			l.mu.Lock()
			l.got[string(msg.Payload)] = true
			l.mu.Unlock()
			msg.Ack()
		}
	}()
	return nil
}

func publish(publisher message.Publisher, topic string) error {
	for n := 1; n <= messages; n++ {
		if err := publisher.Publish(topic, message.NewMessage(watermill.NewUUID(), fmt.Append(nil, n))); err != nil {
			return err
		}
		time.Sleep(work / 2)
	}
	return publisher.Close()
}

// wait returns when each group, and the one without a group, has all messages.
func wait(ctx context.Context, listeners []*listener) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		total := map[string]int{}
		for _, l := range listeners {
			total[l.group] += l.count()
		}
		if total[""] >= messages && total["billing"] >= messages && total["shipping"] >= messages {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.got)
}

// show prints a row for each listener and a column for each message.
func show(listeners []*listener) {
	fmt.Printf("%-12s", "message")
	for n := 1; n <= messages; n++ {
		fmt.Printf("%4d", n)
	}
	fmt.Println()
	for i, l := range listeners {
		if i > 0 && l.group != listeners[i-1].group {
			fmt.Println()
		}
		fmt.Printf("%-12s%s   got %d\n", l.name, l.row(), l.count())
	}
}

func (l *listener) row() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var row strings.Builder
	for n := 1; n <= messages; n++ {
		mark := "."
		if l.got[strconv.Itoa(n)] {
			mark = "x"
		}
		fmt.Fprintf(&row, "%4s", mark)
	}
	return row.String()
}

func remove(ctx context.Context, client rueidis.Client, topic string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return client.Do(ctx, client.B().Del().Key(topic).Build()).Error()
}
