package redisstream_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

var byCustomer = redisstream.KeyFromMetadata("customer")

// keyedMessages are n messages of keys in turn. Their payloads count up for each key.
func keyedMessages(n int, keys ...string) []*message.Message {
	msgs := make([]*message.Message, n)
	for i := range msgs {
		key := keys[i%len(keys)]
		payload := strconv.Itoa(i / len(keys))
		msgs[i] = message.NewMessage(key+payload, []byte(payload))
		msgs[i].Metadata.Set("customer", key)
	}
	return msgs
}

func publishKeyed(tb testing.TB, topic string, n int, keys ...string) {
	tb.Helper()
	require.NoError(tb, newPublisher(tb, shared.Client(tb)).Publish(topic, keyedMessages(n, keys...)...))
}

// ordered is the configuration of a member that keeps the order of keys.
func ordered(change func(*redisstream.SubscriberConfig)) redisstream.SubscriberConfig {
	c := redisstream.SubscriberConfig{
		ConsumerGroup: "g", MaxInFlight: 8, PartitionKey: byCustomer, MinIdle: shortIdle, CloseTimeout: 100 * time.Millisecond,
		NackBackoff: func(int) time.Duration { return time.Millisecond },
	}
	change(&c)
	return c
}

func unchanged(*redisstream.SubscriberConfig) {}

// inGroupAndWithout are both ways to subscribe.
func inGroupAndWithout() map[string]redisstream.SubscriberConfig {
	return map[string]redisstream.SubscriberConfig{
		"group": ordered(unchanged),
		"fan-out": ordered(func(c *redisstream.SubscriberConfig) {
			c.ConsumerGroup, c.Start = "", redisstream.StartOldest()
		}),
	}
}

// expect takes the next message, which has to be the one with the UUID.
func expect(tb testing.TB, out <-chan *message.Message, uuid string) *message.Message {
	tb.Helper()
	msg := receive(tb, out, 2*healTime)
	require.Equal(tb, uuid, msg.UUID)
	return msg
}

// settlements notes the order in which messages of a key are settled, and how often two of
// a key were with handlers at once.
type settlements struct {
	mu       sync.Mutex
	settled  map[string][]string // payloads by key
	busy     map[string]bool
	overlaps int
}

func newSettlements() *settlements {
	return &settlements{settled: map[string][]string{}, busy: map[string]bool{}}
}

func (s *settlements) begin(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[key] {
		s.overlaps++
	}
	s.busy[key] = true
}

func (s *settlements) ack(msg *message.Message) {
	s.mu.Lock()
	key := msg.Metadata.Get("customer")
	delete(s.busy, key)
	s.settled[key] = append(s.settled[key], string(msg.Payload))
	s.mu.Unlock()
	msg.Ack()
}

func (s *settlements) nack(msg *message.Message) {
	s.mu.Lock()
	delete(s.busy, msg.Metadata.Get("customer"))
	s.mu.Unlock()
	msg.Nack()
}

func (s *settlements) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, payloads := range s.settled {
		n += len(payloads)
	}
	return n
}

// Each third message fails at first.
func TestOrderOfEachKeyIsKept(t *testing.T) {
	t.Parallel()
	for name, config := range inGroupAndWithout() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 2000
			topic, got := newTopic(t), newSettlements()
			keys := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
			publishKeyed(t, topic, n, keys...)
			config.MaxInFlight = 16
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			go func() {
				for msg := range out {
					got.begin(msg.Metadata.Get("customer"))
					go func() {
						number, _ := strconv.Atoi(string(msg.Payload))
						deliveries, _ := redisstream.DeliveryCountFromContext(msg.Context())
						if number%3 == 0 && deliveries == 1 {
							got.nack(msg)
						} else {
							got.ack(msg)
						}
					}()
				}
			}()
			eventually(t, 4*healTime, func() bool { return got.count() == n }, "all are acked")
			require.Zero(t, got.overlaps)
			for _, key := range keys {
				require.Equal(t, payloads(0, n/len(keys)), got.settled[key])
			}
		})
	}
}

func TestSlowKeyHoldsUpItsOwnMessagesOnly(t *testing.T) {
	t.Parallel()
	for name, config := range inGroupAndWithout() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const before, after = 1000, 200
			topic := newTopic(t)
			publishKeyed(t, topic, before, "slow")
			publishKeyed(t, topic, after, "a", "b")
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			slow := expect(t, out, "slow0")
			for range after {
				msg := receive(t, out, healTime)
				require.NotEqual(t, "slow", msg.Metadata.Get("customer"))
				require.True(t, msg.Ack())
			}
			requireNone(t, out, 50*time.Millisecond)
			require.True(t, slow.Ack())
			for i := 1; i < before; i++ {
				msg := expect(t, out, "slow"+strconv.Itoa(i))
				requireCount(t, msg, 1)
				require.True(t, msg.Ack())
			}
		})
	}
}

func TestMessagesWithoutAKeyWaitForNobody(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publish(t, newPublisher(t, shared.Client(t)), topic, 8)
	out := subscribe(t, newSubscriber(t, shared, ordered(unchanged)), topic)
	for range 8 {
		_, ok := redisstream.PartitionKeyFromContext(receive(t, out, healTime).Context())
		require.False(t, ok)
	}
}

func TestPartitionKeyIsInTheContext(t *testing.T) {
	t.Parallel()
	for _, maxInFlight := range []int{1, 8} {
		for name, config := range inGroupAndWithout() {
			t.Run(name+strconv.Itoa(maxInFlight), func(t *testing.T) {
				t.Parallel()
				topic := newTopic(t)
				config.MaxInFlight = maxInFlight
				config.PartitionKey = func(topic string, msg *message.Message) (string, error) {
					return topic + msg.Metadata.Get("customer"), nil
				}
				publishKeyed(t, topic, 1, "a")
				out := subscribe(t, newSubscriber(t, shared, config), topic)
				for _, settle := range []func(*message.Message) bool{(*message.Message).Nack, (*message.Message).Ack} {
					msg := expect(t, out, "a0")
					key, ok := redisstream.PartitionKeyFromContext(msg.Context())
					require.True(t, ok)
					require.Equal(t, topic+"a", key)
					require.True(t, settle(msg))
				}
			})
		}
	}
	_, ok := redisstream.PartitionKeyFromContext(t.Context())
	require.False(t, ok)
}

// What can't be unmarshaled has no key, and goes where it belongs. So does a message
// that can't have one.
func TestEntryThatCanHaveNoKeyIsGivenUpAndHoldsUpNothing(t *testing.T) {
	t.Parallel()
	for _, maxInFlight := range []int{1, 8} {
		for name, config := range inGroupAndWithout() {
			t.Run(name+strconv.Itoa(maxInFlight), func(t *testing.T) {
				t.Parallel()
				topic, log := newTopic(t), newLog(t)
				config.Client, config.MaxInFlight = shared.Client(t), maxInFlight
				config.PartitionKey = func(topic string, msg *message.Message) (string, error) {
					key, _ := byCustomer(topic, msg)
					if key == "bad" {
						return "good", errors.New("bad customer")
					}
					return key, nil
				}
				shared.Do(t, "XADD", topic, "*", "not", "a message")
				publishKeyed(t, topic, 8, "bad", "good")
				s, err := redisstream.NewSubscriber(config, log)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, s.Close()) })
				out := subscribe(t, s, topic)
				for i := range 4 {
					require.True(t, expect(t, out, "good"+strconv.Itoa(i)).Ack())
				}
				eventually(t, healTime, func() bool { return log.contains("bad customer") && log.contains("unmarshal entry") }, "it is logged")
				if config.ConsumerGroup == "" {
					return
				}
				eventually(t, healTime, func() bool { return len(lettersOf(t, topic)) == 5 }, "they move")
				eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "nothing is left")
				bad := lettersOf(t, topic)[4]
				require.Equal(t, "partition key of entry "+bad[redisstream.DeadEntryIDField]+": bad customer", bad[redisstream.DeadReasonField])
				require.Equal(t, "bad3", bad[redisstream.UUIDField])
				require.Equal(t, "0", bad[redisstream.DeadDeliveriesField])
			})
		}
	}
}

// A copy for another group is not our message at all.
func TestCopyForAnotherGroupHasNoKey(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	shared.Do(t, "XADD", topic, "*", redisstream.UUIDField, "1", "requeued_for", "h", "requeued_from", "1-1")
	config := ordered(func(c *redisstream.SubscriberConfig) {
		c.PartitionKey = func(string, *message.Message) (string, error) { return "", errors.New("never asked") }
	})
	subscribe(t, newSubscriber(t, shared, config), topic)
	eventually(t, healTime, func() bool { return groupIsThrough(t, topic) }, "it is settled")
	require.Empty(t, lettersOf(t, topic))
}

// groupIsThrough reports whether the group has read something, and nothing of it is pending.
func groupIsThrough(t *testing.T, topic string) bool {
	t.Helper()
	groups, ok := shared.Do(t, "XINFO", "GROUPS", topic).([]any)
	require.True(t, ok)
	fields, ok := groups[0].([]any)
	require.True(t, ok)
	return fields[7] != "0-0" && pendingCount(t, shared, topic, "g") == 0
}

// The dead letters need not have the message before the next one comes.
func TestGivenUpMessageFreesItsKey(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(context.Context, error) error{
		"rejected": redisstream.Reject, "dropped": redisstream.Drop, "fails too often": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publishKeyed(t, topic, 3, "a")
			out := subscribe(t, newSubscriber(t, shared, ordered(func(c *redisstream.SubscriberConfig) { c.MaxDeliveries = 2 })), topic)
			msg := expect(t, out, "a0")
			if say != nil {
				_ = say(msg.Context(), errors.New("no use"))
			} else {
				require.True(t, msg.Nack())
				msg = expect(t, out, "a0")
			}
			require.True(t, msg.Nack())
			require.True(t, expect(t, out, "a1").Ack())
			require.True(t, expect(t, out, "a2").Ack())
			eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "nothing is left")
		})
	}
}

func TestMessageThatIsTriedAgainKeepsItsKey(t *testing.T) {
	t.Parallel()
	const wait = 1500 * time.Millisecond // longer than entries wait for others
	for name, config := range inGroupAndWithout() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publishKeyed(t, topic, 4, "a", "b")
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			msg := expect(t, out, "a0")
			_ = redisstream.RetryAfter(msg.Context(), wait, errors.New("not yet"))
			nacked := time.Now()
			require.True(t, msg.Nack())
			require.True(t, expect(t, out, "b0").Ack())
			require.True(t, expect(t, out, "b1").Ack())
			msg = expect(t, out, "a0")
			require.GreaterOrEqual(t, time.Since(nacked), wait)
			requireCount(t, msg, 2)
			requireNone(t, out, 50*time.Millisecond)
			require.True(t, msg.Ack())
			require.True(t, expect(t, out, "a1").Ack())
		})
	}
}

// The other member would take what is not renewed, or was given back.
func TestWhatWaitsForItsKeyStaysInOrder(t *testing.T) {
	t.Parallel()
	const n = 300
	topic := newTopic(t)
	publishKeyed(t, topic, n, "a")
	out := subscribe(t, newSubscriber(t, shared, ordered(unchanged)), topic)
	msg := expect(t, out, "a0")
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == n }, "all are read")
	other := subscribe(t, newSubscriber(t, shared, ordered(unchanged)), topic)
	publishKeyed(t, topic, 40, "b")
	for range 40 {
		select {
		case msg := <-out:
			require.Equal(t, "b", msg.Metadata.Get("customer"))
			require.True(t, msg.Ack())
		case msg := <-other:
			require.Equal(t, "b", msg.Metadata.Get("customer"))
			require.True(t, msg.Ack())
		case <-time.After(healTime):
			require.FailNow(t, "not all came")
		}
	}
	requireNone(t, other, 2*shortIdle)
	for _, p := range pendingEntries(t, shared, topic, "g")[1:] {
		require.Zero(t, p.count, "nobody has seen it")
		require.Less(t, p.idle, shortIdle, "it is renewed")
	}
	require.True(t, msg.Ack())
	for i := 1; i < n; i++ {
		msg := expect(t, out, "a"+strconv.Itoa(i))
		requireCount(t, msg, 1)
		require.True(t, msg.Ack())
	}
}

func TestCloseReleasesWhatWaitsForItsKey(t *testing.T) {
	t.Parallel()
	const n = 200
	topic := newTopic(t)
	publishKeyed(t, topic, n, "a")
	s := newSubscriber(t, shared, ordered(func(c *redisstream.SubscriberConfig) { c.CloseTimeout = 3 * time.Second }))
	out := subscribe(t, s, topic)
	msg := expect(t, out, "a0")
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == n }, "all are read")
	requireNone(t, out, 50*time.Millisecond)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	eventually(t, time.Second, func() bool { return len(pendingEntries(t, shared, topic, "g", "~released")) == n-1 }, "it need not wait for the handler")
	for _, p := range pendingEntries(t, shared, topic, "g", "~released") {
		require.Zero(t, p.count)
	}
	require.True(t, msg.Nack())
	require.NoError(t, <-closed)
	next := subscribe(t, newSubscriber(t, shared, ordered(unchanged)), topic)
	for i := range n {
		msg := expect(t, next, "a"+strconv.Itoa(i))
		requireCount(t, msg, map[bool]int64{true: 2, false: 1}[i == 0])
		require.True(t, msg.Ack())
	}
}

func TestKeyOfALostMessageStaysWithItsHandler(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publishKeyed(t, topic, 2, "a")
	out := subscribe(t, newSubscriber(t, shared, ordered(unchanged)), topic)
	msg := expect(t, out, "a0")
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	shared.Do(t, "XCLAIM", topic, "g", "thief", "0", id, "JUSTID") // and is never heard of again
	require.ErrorIs(t, heldFor(msg, shortIdle), redisstream.ErrLeaseLost)
	publishKeyed(t, topic, 1, "b")
	require.True(t, expect(t, out, "b0").Ack())
	requireNone(t, out, 2*shortIdle) // it is abandoned meanwhile, and comes back
	require.True(t, msg.Nack())
	for _, uuid := range []string{"a0", "a1"} {
		require.True(t, expect(t, out, uuid).Ack())
	}
}

// It may come back to the one whose handler hangs.
func TestExpiredMessageWaitsUntilItsHandlerIsDone(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publishKeyed(t, topic, 3, "a")
	out := subscribe(t, newSubscriber(t, shared, ordered(func(c *redisstream.SubscriberConfig) { c.MaxLease = time.Second })), topic)
	msg := expect(t, out, "a0")
	requireExpires(t, msg, time.Now(), time.Second)
	eventually(t, healTime, func() bool { return len(pendingEntries(t, shared, topic, "g", "~released")) == 1 }, "it goes back")
	publishKeyed(t, topic, 1, "b")
	require.True(t, expect(t, out, "b0").Ack())
	eventually(t, healTime, func() bool { return len(pendingEntries(t, shared, topic, "g", "~released")) == 0 }, "it comes again")
	requireNone(t, out, time.Second)
	require.True(t, msg.Nack())
	again := expect(t, out, "a0")
	requireCount(t, again, 2)
	requireNone(t, out, 50*time.Millisecond)
	require.True(t, again.Ack())
	require.True(t, expect(t, out, "a1").Ack())
	require.True(t, expect(t, out, "a2").Ack())
}

func TestWhatWaitsBehindAHungHandlerOfItsKeyGoesToOthers(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publishKeyed(t, topic, 5, "a")
	config := ordered(func(c *redisstream.SubscriberConfig) { c.MaxLease = time.Second })
	out := subscribe(t, newSubscriber(t, shared, config), topic)
	hung := expect(t, out, "a0")
	other := subscribe(t, newSubscriber(t, shared, config), topic)
	publisher := newPublisher(t, shared.Client(t))
	deadline, ticker := time.After(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer ticker.Stop()
	for got := map[string]bool{}; len(got) < 5; {
		select {
		case <-ticker.C: // so that the first one always looks for more
			require.NoError(t, publisher.Publish(topic, keyedMessages(1, "b")...))
		case msg := <-out:
			require.Equal(t, "b", msg.Metadata.Get("customer"), "two of a key at once")
			require.True(t, msg.Ack())
		case msg := <-other:
			if msg.Metadata.Get("customer") == "a" {
				got[msg.UUID] = true
			}
			require.True(t, msg.Ack())
		case <-deadline:
			require.FailNow(t, "they don't come")
		}
	}
	require.True(t, hung.Nack())
	for _, rest := range []<-chan *message.Message{out, other} {
		newTally().work(rest, "rest", lasting(0))
	}
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all are acked")
}

// Two messages have their last chance, and wait for each other, whatever their keys are. The
// one that waits for too long goes back, and so does its key.
func TestLastChanceKeepsItsKeyUntilItIsGivenBack(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publishKeyed(t, topic, 2, "b", "a")
	die(t, shared, topic, "g", "dead", 2)
	config := atMost(2)
	config.MaxInFlight, config.PartitionKey, config.CloseTimeout = 8, byCustomer, 100*time.Millisecond
	s, l := newLoggedSubscriber(t, shared, config)
	out := subscribe(t, s, topic)
	hung := receive(t, out, 10*time.Second)
	requireCount(t, hung, 2)
	other := map[string]string{"a": "b", "b": "a"}[hung.Metadata.Get("customer")]
	msgs := keyedMessages(2, other)
	require.NoError(t, newPublisher(t, shared.Client(t)).Publish(topic, msgs[1]))
	next := expect(t, out, other+"1")
	require.True(t, next.Ack())
	require.True(t, hung.Ack())
	last := expect(t, out, other+"0")
	requireCount(t, last, 2)
	require.True(t, last.Ack())
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all are acked")
	require.Empty(t, lettersOf(t, topic))
	require.Empty(t, l.shared.errors)
}

func TestLargeMessagesOfAKeyComeInOrderAsTheyWere(t *testing.T) {
	t.Parallel()
	for name, config := range inGroupAndWithout() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 5
			topic := newTopic(t)
			msgs := keyedMessages(n, "a")
			for _, msg := range msgs {
				msg.Payload = large()
			}
			require.NoError(t, newPublisher(t, shared.Client(t)).Publish(topic, msgs...))
			out := subscribe(t, newSubscriber(t, shared, config), topic)
			for i := range n {
				spoil(t, expect(t, out, "a"+strconv.Itoa(i)))
				msg := expect(t, out, "a"+strconv.Itoa(i))
				require.Equal(t, large(), []byte(msg.Payload))
				require.True(t, msg.Ack())
			}
		})
	}
}

// It has no key, and is what any process would do that panics.
func TestLargeMessageThatWaitsForItsKeyIsNotReadAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	out := subscribe(t, newSubscriber(t, server, ordered(unchanged)), "orders")
	server.Do(t, "ACL", "SETUSER", "default", "-xrange")
	msgs := keyedMessages(3, "a")
	for _, msg := range msgs {
		msg.Payload = large()
	}
	require.NoError(t, newPublisher(t, server.Client(t)).Publish("orders", msgs...))
	for i := range msgs {
		msg := expect(t, out, "a"+strconv.Itoa(i))
		require.Equal(t, large(), []byte(msg.Payload))
		require.True(t, msg.Ack())
	}
}

func TestOrderOfAKeyIsKeptOverOutages(t *testing.T) {
	t.Parallel()
	const n = 200
	server := redistest.Start(t)
	keys := []string{"a", "b", "c", "d"}
	require.NoError(t, newPublisher(t, server.Client(t)).Publish("orders", keyedMessages(n, keys...)...))
	out := subscribe(t, newSubscriber(t, server, ordered(unchanged)), "orders")
	got := newSettlements()
	go func() {
		for msg := range out {
			got.begin(msg.Metadata.Get("customer"))
			go func() {
				<-time.After(20 * time.Millisecond)
				got.ack(msg)
			}()
		}
	}()
	for range 3 {
		<-time.After(200 * time.Millisecond)
		server.Pause(t)
		<-time.After(500 * time.Millisecond)
		server.Resume(t)
	}
	eventually(t, 4*healTime, func() bool { return got.count() >= n }, "all are acked")
	require.Zero(t, got.overlaps)
	for _, key := range keys {
		require.Equal(t, payloads(0, n/len(keys)), got.settled[key], fmt.Sprint("key ", key))
	}
}
