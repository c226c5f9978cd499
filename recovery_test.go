package redisstream_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// healTime is how long a subscription may take to work again when the cause of
// its trouble is gone.
const healTime = 5 * time.Second

// through makes a client connect to the proxy.
func through(p *redistest.Proxy) func(*rueidis.ClientOption) {
	return func(o *rueidis.ClientOption) { o.InitAddress = []string{p.Addr()} }
}

// newLoggedSubscriber is newSubscriber, and returns the log as well.
func newLoggedSubscriber(tb testing.TB, server *redistest.Server, config redisstream.SubscriberConfig) (*redisstream.Subscriber, log) {
	tb.Helper()
	if config.Client == nil {
		config.Client = server.Client(tb)
	}
	l := newLog(tb)
	s, err := redisstream.NewSubscriber(config, l)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s, l
}

// ackUntilSeen acks messages until all of want came, in any order and maybe with
// others. It returns how often each came.
func ackUntilSeen(tb testing.TB, out <-chan *message.Message, want []string, within time.Duration) map[string]int {
	tb.Helper()
	seen := map[string]int{}
	missing := map[string]bool{}
	for _, uuid := range want {
		missing[uuid] = true
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	for len(missing) > 0 {
		select {
		case msg, ok := <-out:
			require.True(tb, ok, "the channel was closed")
			seen[msg.UUID]++
			delete(missing, msg.UUID)
			require.True(tb, msg.Ack())
		case <-timer.C:
			require.FailNow(tb, "messages are missing", "%d of %d did not come within %v", len(missing), len(want), within)
		}
	}
	return seen
}

// requireOnce fails if a message came more than once.
func requireOnce(tb testing.TB, seen map[string]int) {
	tb.Helper()
	for uuid, n := range seen {
		require.Equal(tb, 1, n, "message %s came %d times", uuid, n)
	}
}

// awaitBlockedReads waits until n clients of the server are blocked.
func awaitBlockedReads(tb testing.TB, server *redistest.Server, n int) {
	tb.Helper()
	want := fmt.Sprintf("blocked_clients:%d\r", n)
	eventually(tb, 5*time.Second, func() bool {
		info, ok := server.Do(tb, "INFO", "clients").(string)
		return ok && strings.Contains(info, want)
	}, "reads are blocked")
}

// groupExists asks without failing for a stream that is not there.
func groupExists(tb testing.TB, server *redistest.Server, topic, group string) bool {
	tb.Helper()
	reply, err := server.TryDo(tb.Context(), "XINFO", "GROUPS", topic)
	if err != nil {
		return false
	}
	return strings.Contains(fmt.Sprint(reply), " "+group+" ")
}

// receiveAndAckAll takes exactly these messages in this order.
func receiveAndAckAll(tb testing.TB, out <-chan *message.Message, uuids []string) {
	tb.Helper()
	require.Equal(tb, uuids, receiveAndAck(tb, out, len(uuids), healTime))
}

// holdWithBuffer acks messages until some are buffered behind the one it
// returns, which it doesn't ack.
func holdWithBuffer(tb testing.TB, server *redistest.Server, out <-chan *message.Message, topic string, atLeast int64) (held *message.Message, acked []string) {
	tb.Helper()
	for {
		msg := receive(tb, out, healTime)
		if len(acked) >= 30 {
			time.Sleep(20 * time.Millisecond) // acks and reads under way arrive; the check below decides
			if pendingCount(tb, server, topic, "g") > atLeast {
				return msg, acked
			}
		}
		acked = append(acked, msg.UUID)
		require.True(tb, msg.Ack())
	}
}

// heldFor returns why the message was lost within the time, or nil.
func heldFor(msg *message.Message, d time.Duration) error {
	select {
	case <-msg.Context().Done():
		return context.Cause(msg.Context())
	case <-time.After(d):
		return nil
	}
}

// either merges channels until the end of the test.
func either(tb testing.TB, channels ...<-chan *message.Message) <-chan *message.Message {
	tb.Helper()
	out := make(chan *message.Message)
	for _, ch := range channels {
		go func() {
			for msg := range ch {
				select {
				case out <- msg:
				case <-tb.Context().Done():
				}
			}
		}()
	}
	return out
}

func TestFanOutHealsWhenItsStreamIsLost(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"FLUSHALL", "DEL orders"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			publisher := newPublisher(t, server.Client(t))
			out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{}), "orders")
			receiveAndAckAll(t, out, publish(t, publisher, "orders", 5))
			server.Do(t, strings.Fields(command)...)
			receiveAndAckAll(t, out, publish(t, publisher, "orders", 5))
		})
	}
}

func TestStreamReplacedByOneWithSmallerIDsIsReadFromItsStart(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"", "g"} {
		t.Run("group="+group, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publisher := newPublisher(t, shared.Client(t))
			out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group, MinIdle: 2 * time.Second}), topic)
			receiveAndAckAll(t, out, publish(t, publisher, topic, 5))
			shared.Do(t, "DEL", topic)
			for _, id := range []string{"1-1", "1-2"} {
				shared.Do(t, "XADD", topic, id, redisstream.UUIDField, id)
			}
			require.Equal(t, []string{"1-1", "1-2"}, receiveAndAck(t, out, 2, healTime))
			shared.Do(t, "XADD", topic, "2-0", redisstream.UUIDField, "2-0")
			require.Equal(t, []string{"2-0"}, receiveAndAck(t, out, 1, healTime))
		})
	}
}

// A freeze longer than MinIdle makes everybody look dead. Nobody may rob anybody.
func TestNobodyIsRobbedAfterTheServerWasFrozen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := newPublisher(t, server.Client(t))
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 3 * time.Second, MaxInFlight: 3} // room to rob
	var channels []<-chan *message.Message
	for range 3 {
		channels = append(channels, subscribe(t, newSubscriber(t, server, config), "orders"))
	}
	all := either(t, channels...)
	publish(t, publisher, "orders", 3)
	held := map[string]*message.Message{}
	for range 3 {
		msg := receive(t, all, healTime)
		held[msg.UUID] = msg
	}
	require.Len(t, held, 3)

	server.Pause(t)
	requireNone(t, all, 8*time.Second)
	server.Resume(t)
	requireNone(t, all, config.MinIdle+2*time.Second)
	for _, msg := range held {
		require.NoError(t, msg.Context().Err())
		require.True(t, msg.Ack())
	}
	requireOnce(t, ackUntilSeen(t, all, publish(t, publisher, "orders", 100), healTime))
	eventually(t, healTime, func() bool { return pendingCount(t, server, "orders", "g") == 0 }, "all is acked")
}

// All members lose their connections for longer than MinIdle. Whoever is back
// first finds that everybody else looks dead.
func TestNobodyIsRobbedAfterTheServerWasAway(t *testing.T) {
	t.Parallel()
	const members = 8
	topic := newTopic(t)
	proxy := redistest.NewProxy(t, shared.Addr())
	publisher := newPublisher(t, shared.Client(t))
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second, MaxInFlight: 3} // room to rob
	var channels []<-chan *message.Message
	for range members {
		config.Client = shared.Client(t, through(proxy))
		channels = append(channels, subscribe(t, newSubscriber(t, shared, config), topic))
	}
	all := either(t, channels...)
	for range members {
		publish(t, publisher, topic, 1)
	}
	var held []*message.Message
	for range members {
		held = append(held, receive(t, all, healTime))
	}
	proxy.Refuse()
	proxy.Cut()
	requireNone(t, all, config.MinIdle+time.Second)
	proxy.Allow()
	requireNone(t, all, config.MinIdle+2*time.Second)
	for _, msg := range held {
		require.NoError(t, msg.Context().Err())
		require.True(t, msg.Ack())
	}
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all is acked")
}

func TestFanOutGoesOnAfterTheServerWasFrozen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := newPublisher(t, server.Client(t))
	out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{}), "orders")
	receiveAndAckAll(t, out, publish(t, publisher, "orders", 5))
	server.Pause(t)
	requireNone(t, out, 8*time.Second)
	server.Resume(t)
	receiveAndAckAll(t, out, publish(t, publisher, "orders", 100))
}

func TestKilledAndRestartedServerLosesNothing(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"", "g"} {
		t.Run("group="+group, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.AppendOnly("always"))
			publisher := newPublisher(t, server.Client(t))
			out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: group, MinIdle: 2 * time.Second}), "orders")
			uuids := publish(t, publisher, "orders", 200)
			require.Equal(t, uuids[:100], receiveAndAck(t, out, 100, healTime))
			held := receive(t, out, healTime)

			server.Kill(t)
			require.NoError(t, heldFor(held, 3*time.Second))
			server.Restart(t)
			require.NoError(t, heldFor(held, 3*time.Second))
			require.True(t, held.Ack())
			require.Equal(t, uuids[100], held.UUID)
			require.Equal(t, uuids[101:], receiveAndAck(t, out, 99, healTime), "each once and in order")
			receiveAndAckAll(t, out, publish(t, publisher, "orders", 100))
			if group != "" {
				eventually(t, healTime, func() bool { return pendingCount(t, server, "orders", "g") == 0 }, "all is acked")
			}
		})
	}
}

func TestCutConnectionsLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"", "g"} {
		t.Run("group="+group, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			proxy := redistest.NewProxy(t, shared.Addr())
			publisher := newPublisher(t, shared.Client(t))
			config := redisstream.SubscriberConfig{ConsumerGroup: group, Client: shared.Client(t, through(proxy)), MinIdle: 2 * time.Second}
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			uuids := publish(t, publisher, topic, 2000)
			var got []string
			for i := range uuids {
				msg := receive(t, out, healTime)
				got = append(got, msg.UUID)
				if i%300 == 100 {
					proxy.Cut() // before the ack, which has to find another way
				}
				require.True(t, msg.Ack())
				if i%300 == 250 {
					proxy.Cut() // while acks and reads are under way
				}
			}
			slices.Sort(got)
			require.Len(t, slices.Compact(slices.Clone(got)), len(uuids), "none is lost, none comes twice")
			requireNone(t, out, 3*time.Second)
			if group != "" {
				eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all is acked")
			}
		})
	}
}

func TestSubscriptionGoesOnAfterConnectionsWereRefused(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"", "g"} {
		t.Run("group="+group, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			proxy := redistest.NewProxy(t, shared.Addr())
			publisher := newPublisher(t, shared.Client(t))
			config := redisstream.SubscriberConfig{ConsumerGroup: group, Client: shared.Client(t, through(proxy)), MinIdle: 2 * time.Second}
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			receiveAndAckAll(t, out, publish(t, publisher, topic, 5))
			proxy.Refuse()
			proxy.Cut()
			uuids := publish(t, publisher, topic, 100)
			requireNone(t, out, 4*time.Second)
			proxy.Allow()
			receiveAndAckAll(t, out, uuids)
		})
	}
}

func TestSubscriptionGoesOnAfterABlackHole(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"", "g"} {
		t.Run("group="+group, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			proxy := redistest.NewProxy(t, shared.Addr())
			publisher := newPublisher(t, shared.Client(t))
			config := redisstream.SubscriberConfig{ConsumerGroup: group, Client: shared.Client(t, through(proxy)), MinIdle: 2 * time.Second}
			s, l := newLoggedSubscriber(t, shared, config)
			out := subscribe(t, s, topic)
			receiveAndAckAll(t, out, publish(t, publisher, topic, 5))
			proxy.Block()
			uuids := publish(t, publisher, topic, 100)
			requireNone(t, out, 8*time.Second)
			require.True(t, l.contains("doing:read"), "it has noticed")
			proxy.Unblock()
			requireOnce(t, ackUntilSeen(t, out, uuids, 2*healTime))
		})
	}
}

// The server assigns entries to a read whose reply never arrives. Nobody but us
// knows that nobody has seen them.
func TestEntriesOfALostReplyAreFoundAndDelivered(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", Client: server.Client(t, through(proxy))}
	out := subscribe(t, newSubscriber(t, server, config), "orders")
	awaitBlockedReads(t, server, 1)
	proxy.Block()
	server.Do(t, "XADD", "orders", "*", redisstream.UUIDField, "lost")
	eventually(t, healTime, func() bool { return pendingCount(t, server, "orders", "g") == 1 }, "the server assigns the entry")
	proxy.Cut()
	proxy.Unblock()

	msg := receive(t, out, healTime)
	require.Equal(t, "lost", msg.UUID)
	deliveries, _ := redisstream.DeliveryCountFromContext(msg.Context())
	require.Equal(t, int64(1), deliveries, "nobody has seen it before")
	require.True(t, msg.Ack())
	eventually(t, healTime, func() bool { return pendingCount(t, server, "orders", "g") == 0 }, "it is acked")
}

func TestSubscriptionGoesOnWhenAWrongTypeIsGone(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"", "g"} {
		t.Run("group="+group, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publisher := newPublisher(t, shared.Client(t))
			s, l := newLoggedSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group, MinIdle: 2 * time.Second})
			out := subscribe(t, s, topic)
			receiveAndAckAll(t, out, publish(t, publisher, topic, 5))
			shared.Do(t, "SET", topic, "x")
			eventually(t, 2*healTime, func() bool { return l.contains("WRONGTYPE") }, "the log says so")
			shared.Do(t, "DEL", topic)
			receiveAndAckAll(t, out, publish(t, publisher, topic, 5))
		})
	}
}

func TestSubscriptionGoesOnWhenItsRightsAreBack(t *testing.T) {
	t.Parallel()
	for _, rights := range []struct {
		revoked, granted []string
		hold             bool // keep a message in flight, which has to be renewed
	}{
		{[]string{"-xreadgroup"}, []string{"+xreadgroup"}, false},
		{[]string{"-xack"}, []string{"+xack"}, false},
		{[]string{"-evalsha", "-eval"}, []string{"+evalsha", "+eval"}, true},
		{[]string{"-@all", "+acl", "+xadd", "+xpending"}, []string{"+@all"}, false},
	} {
		t.Run(strings.Join(rights.revoked, " "), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			publisher := newPublisher(t, server.Client(t))
			s, l := newLoggedSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second})
			out := subscribe(t, s, "orders")
			publish(t, publisher, "orders", 1)
			held := receive(t, out, healTime)

			server.Do(t, append([]string{"ACL", "SETUSER", "default"}, rights.revoked...)...)
			if !rights.hold {
				require.True(t, held.Ack())
			}
			var uuids []string
			for range 5 {
				uuids = append(uuids, publish(t, publisher, "orders", 1)...)
			}
			got := map[string]int{}
			eventually(t, 2*healTime, func() bool {
				select {
				case msg := <-out:
					got[msg.UUID]++
					msg.Ack()
				default:
				}
				return l.contains("NOPERM")
			}, "the log says so")
			if rights.hold {
				require.NoError(t, held.Context().Err())
				require.True(t, held.Ack())
			}
			server.Do(t, append([]string{"ACL", "SETUSER", "default"}, rights.granted...)...)
			last := publish(t, publisher, "orders", 1)
			for uuid, n := range ackUntilSeen(t, out, last, healTime) {
				got[uuid] += n
			}
			requireOnce(t, got)
			require.Len(t, got, len(uuids)+1)
			eventually(t, healTime, func() bool { return pendingCount(t, server, "orders", "g") == 0 }, "all acks arrive")
		})
	}
}

func TestSubscriptionHealsWhenTheServerHasMemoryAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := newPublisher(t, server.Client(t))
	s, l := newLoggedSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second})
	out := subscribe(t, s, "orders")
	publish(t, publisher, "orders", 1)
	held := receive(t, out, healTime)
	server.Do(t, "CONFIG", "SET", "maxmemory", "1")
	server.Do(t, "XGROUP", "DESTROY", "orders", "g")
	eventually(t, 2*healTime, func() bool { return l.contains("OOM") }, "the group can't be created")
	err := publisher.Publish("orders", message.NewMessage("refused", nil), message.NewMessage("too", nil))
	require.ErrorIs(t, err, redisstream.ErrNonePublished)
	require.NotErrorIs(t, err, redisstream.ErrOutcomeUnknown)
	server.Do(t, "CONFIG", "SET", "maxmemory", "0")
	require.True(t, held.Nack())
	ackUntilSeen(t, out, []string{held.UUID}, healTime) // maybe twice, as the group is a new one
	ackUntilSeen(t, out, publish(t, publisher, "orders", 5), healTime)
}

// A reply that takes longer than a command may take is asked for in smaller
// parts: to ask for the same again would never end.
func TestLargeEntriesArriveOverANarrowLine(t *testing.T) {
	t.Parallel()
	for _, group := range []string{"g", ""} {
		t.Run("group="+group, func(t *testing.T) {
			t.Parallel()
			const total, size, rate = 60, 256 << 10, 2 << 20
			server := redistest.Start(t)
			publisher := newPublisher(t, server.Client(t))
			msgs := newMessages(total)
			for i, msg := range msgs[total/2:] { // small ones first, so that many are asked for at once
				msg.Payload = bytes.Repeat([]byte{byte(i)}, size)
			}
			require.NoError(t, publisher.Publish("orders", msgs...))
			proxy := redistest.NewProxy(t, server.Addr())
			config := redisstream.SubscriberConfig{Client: server.Client(t, through(proxy)), ConsumerGroup: group, MaxInFlight: total, Start: redisstream.StartOldest()}
			if group != "" {
				config.MinIdle = 3 * time.Second
			}
			proxy.Limit(rate)
			out := subscribe(t, newSubscriber(t, server, config), "orders")
			want := make([]string, total)
			for i, msg := range msgs {
				want[i] = msg.UUID
			}
			require.ElementsMatch(t, want, receiveAndAck(t, out, total, 20*time.Second))
		})
	}
}

// A position that the stream has not reached is none that it has lost.
func TestStartBehindTheEndRepeatsNothing(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]redisstream.StartPosition{
		"now":     redisstream.StartAtTime(time.Now()),
		"later":   redisstream.StartAtTime(time.Now().Add(time.Hour)),
		"some ID": redisstream.StartAfterID("5000-0"),
		"never":   redisstream.StartAtTime(time.Unix(1<<60, 0)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modes(t, func(t *testing.T, group string) {
				topic := newTopic(t)
				addAt(t, topic, "1000-0", "2000-0")
				out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: group, Start: start}), topic)
				requireNone(t, out, 5*time.Second) // after an empty read it looks
				if group != "" {
					shared.Do(t, "XGROUP", "DESTROY", topic, group)
					eventually(t, healTime, func() bool { return groupExists(t, shared, topic, group) }, "the group is created again")
				}
				requireNone(t, out, time.Second)
				if name == "now" || name == "some ID" {
					receiveAndAckAll(t, out, publish(t, newPublisher(t, shared.Client(t)), topic, 3))
				}
			})
		})
	}
}

// After a restart without its last entries a stream is still the same.
func TestFanOutRepeatsNothingWhenTheStreamHasLostItsEnd(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("always"))
	publisher := newPublisher(t, server.Client(t))
	publish(t, publisher, "orders", 1000)
	out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{}), "orders")
	receiveAndAckAll(t, out, publish(t, publisher, "orders", 20))
	server.Do(t, "CONFIG", "SET", "appendonly", "no")
	receiveAndAckAll(t, out, publish(t, publisher, "orders", 5))
	server.Kill(t)
	server.Restart(t)
	requireNone(t, out, 6*time.Second)
	require.Equal(t, int64(1020), server.Do(t, "XLEN", "orders"), "the last five are lost")
	receiveAndAckAll(t, out, publish(t, publisher, "orders", 3))
}
