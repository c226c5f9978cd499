package redisstream_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// newTopic is a stream key that no other test uses.
func newTopic(tb testing.TB) string {
	tb.Helper()
	return strings.ReplaceAll(tb.Name(), "/", ":") + "-" + watermill.NewShortUUID()
}

// newPublisher returns a publisher that is closed at the end of the test.
func newPublisher(tb testing.TB, client rueidis.Client) *redisstream.Publisher {
	tb.Helper()
	p, err := redisstream.NewPublisher(redisstream.PublisherConfig{Client: client}, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, p.Close()) })
	return p
}

// newSubscriber returns a subscriber that is closed at the end of the test. Its
// client is one of its own, as if it were a process of its own.
func newSubscriber(tb testing.TB, server *redistest.Server, config redisstream.SubscriberConfig) *redisstream.Subscriber {
	tb.Helper()
	if config.Client == nil {
		config.Client = server.Client(tb)
	}
	s, err := redisstream.NewSubscriber(config, newLog(tb))
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// subscribe subscribes until the end of the test.
func subscribe(tb testing.TB, s *redisstream.Subscriber, topic string) <-chan *message.Message {
	tb.Helper()
	out, err := s.Subscribe(context.Background(), topic)
	require.NoError(tb, err)
	return out
}

// publish publishes n messages with the payloads "0", "1", … in one call and
// returns their UUIDs.
func publish(tb testing.TB, p message.Publisher, topic string, n int) []string {
	tb.Helper()
	msgs, uuids := make([]*message.Message, n), make([]string, n)
	for i := range msgs {
		uuids[i] = watermill.NewUUID()
		msgs[i] = message.NewMessage(uuids[i], fmt.Append(nil, i))
	}
	require.NoError(tb, p.Publish(topic, msgs...))
	return uuids
}

// receive takes the next message, which has to come within the time.
func receive(tb testing.TB, out <-chan *message.Message, within time.Duration) *message.Message {
	tb.Helper()
	select {
	case msg, ok := <-out:
		require.True(tb, ok, "the channel was closed")
		return msg
	case <-time.After(within):
		require.FailNow(tb, "no message came", "within %v", within)
		return nil
	}
}

// receiveAndAck takes n messages and acks them. It returns their UUIDs.
func receiveAndAck(tb testing.TB, out <-chan *message.Message, n int, within time.Duration) []string {
	tb.Helper()
	uuids := make([]string, n)
	for i := range uuids {
		msg := receive(tb, out, within)
		uuids[i] = msg.UUID
		require.True(tb, msg.Ack())
	}
	return uuids
}

// requireNone fails if a message comes within the time.
func requireNone(tb testing.TB, out <-chan *message.Message, within time.Duration) {
	tb.Helper()
	select {
	case msg, ok := <-out:
		if ok {
			require.FailNow(tb, "a message came", "UUID %s, payload %q", msg.UUID, msg.Payload)
		}
		require.FailNow(tb, "the channel was closed")
	case <-time.After(within):
	}
}

// eventually waits for a condition of the server or of another goroutine.
func eventually(tb testing.TB, within time.Duration, condition func() bool, what string) {
	tb.Helper()
	require.Eventually(tb, condition, within, 5*time.Millisecond, what)
}

// pendingCount is how many entries are pending in a group.
func pendingCount(tb testing.TB, server *redistest.Server, topic, group string) int64 {
	tb.Helper()
	summary, ok := server.Do(tb, "XPENDING", topic, group).([]any)
	require.True(tb, ok)
	n, ok := summary[0].(int64)
	require.True(tb, ok)
	return n
}

// consumers lists the names of a group's consumers.
func consumers(tb testing.TB, server *redistest.Server, topic, group string) []string {
	tb.Helper()
	list, ok := server.Do(tb, "XINFO", "CONSUMERS", topic, group).([]any)
	require.True(tb, ok)
	var names []string
	for _, item := range list {
		fields, ok := item.([]any)
		require.True(tb, ok)
		name, ok := fields[1].(string)
		require.True(tb, ok)
		names = append(names, name)
	}
	return names
}

// log writes to the test's log and remembers errors.
type log struct {
	tb     testing.TB
	fields watermill.LogFields
	shared *logged
}

type logged struct {
	mu     sync.Mutex
	done   bool // the test has ended
	lines  []string
	errors []string
}

func newLog(tb testing.TB) log {
	tb.Helper()
	l := log{tb: tb, shared: &logged{}}
	tb.Cleanup(func() {
		l.shared.mu.Lock()
		defer l.shared.mu.Unlock()
		l.shared.done = true
	})
	return l
}

func (l log) write(level, msg string, err error, fields watermill.LogFields) {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	line := fmt.Sprintf("%s %s %v %v", level, msg, l.fields.Add(fields), err)
	l.shared.lines = append(l.shared.lines, line)
	if level == "ERROR" {
		l.shared.errors = append(l.shared.errors, line)
	}
	if !l.shared.done && testing.Verbose() {
		l.tb.Log(time.Now().Format("05.000"), line)
	}
}

func (l log) Error(msg string, err error, fields watermill.LogFields) {
	l.write("ERROR", msg, err, fields)
}
func (l log) Info(msg string, fields watermill.LogFields)  { l.write("INFO", msg, nil, fields) }
func (l log) Debug(msg string, fields watermill.LogFields) { l.write("DEBUG", msg, nil, fields) }
func (l log) Trace(string, watermill.LogFields)            {}

func (l log) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return log{tb: l.tb, fields: l.fields.Add(fields), shared: l.shared}
}

// all returns the lines so far.
func (l log) all() []string {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	return slices.Clone(l.shared.lines)
}

// contains reports whether a line was logged that contains the text.
func (l log) contains(text string) bool {
	l.shared.mu.Lock()
	defer l.shared.mu.Unlock()
	for _, line := range l.shared.lines {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}
