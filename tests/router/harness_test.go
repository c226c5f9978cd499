package router_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

const (
	topic    = "orders"
	group    = "billing"
	healTime = 10 * time.Second
)

var errRefused = errors.New("refused")

// world is a server, a group on it, and what goes there.
type world struct {
	testing.TB
	server    *redistest.Server
	publisher *redisstream.Publisher
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	server := redistest.Start(tb)
	p, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: server.Client(tb)}, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, p.Close()) })
	return &world{TB: tb, server: server, publisher: p}
}

func (w *world) subscriber(config redisstream.SubscriberConfig) *redisstream.Subscriber {
	w.Helper()
	config.Client, config.ConsumerGroup = w.server.Client(w), group
	s, err := redisstream.NewSubscriber(config, nil)
	require.NoError(w, err)
	w.Cleanup(func() { require.NoError(w, s.Close()) })
	return s
}

// publish publishes messages, one for each payload.
func (w *world) publish(payloads ...string) {
	w.Helper()
	for _, payload := range payloads {
		require.NoError(w, w.publisher.Publish(topic, message.NewMessage(watermill.NewUUID(), []byte(payload))))
	}
}

// route runs a router with one handler, "pack", until the end of the test.
func (w *world) route(config redisstream.SubscriberConfig, handle message.NoPublishHandlerFunc, middlewares ...message.HandlerMiddleware) {
	w.Helper()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	require.NoError(w, err)
	router.AddMiddleware(middlewares...)
	router.AddConsumerHandler("pack", topic, w.subscriber(config), handle)
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.Background()) }()
	w.Cleanup(func() {
		require.NoError(w, router.Close())
		require.NoError(w, <-ended)
	})
}

func (w *world) letters() []redisstream.DeadLetter {
	w.Helper()
	d, err := w.subscriber(redisstream.SubscriberConfig{}).DeadLetters(topic)
	require.NoError(w, err)
	letters, err := d.List(w.Context(), "", 100)
	require.NoError(w, err)
	return letters
}

// awaitLetter waits for the only dead letter.
func (w *world) awaitLetter() redisstream.DeadLetter {
	w.Helper()
	w.eventually(func() bool { return w.server.Do(w, "XLEN", "{"+topic+"}:dead:"+group) != int64(0) }, "the letter arrives")
	letters := w.letters()
	require.Len(w, letters, 1)
	return letters[0]
}

// settled reports whether nothing is pending.
func (w *world) settled() bool {
	summary, ok := w.server.Do(w, "XPENDING", topic, group).([]any)
	return ok && summary[0] == int64(0)
}

func (w *world) eventually(condition func() bool, what string) {
	w.Helper()
	require.Eventually(w, condition, healTime, 5*time.Millisecond, what)
}
