package redisstream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// The group is destroyed while one member holds a message and does not read; the
// other one, which reads, creates it again before the first can notice. What the
// first one holds must not look as if somebody else had it.
func TestMemberNoticesThatAnotherRestoredTheGroup(t *testing.T) {
	t.Parallel()
	topic, client := newTopic(t), shared.Client(t)
	publisher := newPublisher(t, client)
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 3 * time.Second}
	busy := subscribe(t, newSubscriber(t, shared, config), topic)
	uuid := publish(t, publisher, topic, 1)[0]
	held := receive(t, busy, 5*time.Second)

	reading := subscribe(t, newSubscriber(t, shared, config), topic)
	publish(t, publisher, topic, 1)
	receive(t, reading, 5*time.Second).Ack()
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "the second is acked")
	// The new group starts behind the message that is held: nobody reads it again.
	require.Equal(t, int64(1), shared.Do(t, "XGROUP", "DESTROY", topic, "g"))
	eventually(t, 5*time.Second, func() bool {
		groups, ok := shared.Do(t, "XINFO", "GROUPS", topic).([]any)
		return ok && len(groups) == 1
	}, "the member that reads restores the group")

	held.Nack()
	again := receive(t, busy, 5*time.Second)
	require.Equal(t, uuid, again.UUID)
	again.Ack()
	eventually(t, 5*time.Second, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "nothing stays pending")
}

// disasters are the ways to lose a stream or a group.
func disasters(topic, group string) map[string][]string {
	return map[string][]string{
		"FLUSHALL":       {"FLUSHALL"},
		"DEL":            {"DEL", topic},
		"XGROUP DESTROY": {"XGROUP", "DESTROY", topic, group},
	}
}

func TestIdleSubscriptionHealsWhenItsStreamOrGroupIsLost(t *testing.T) {
	t.Parallel()
	for name, command := range disasters("orders", "g") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			publisher := newPublisher(t, server.Client(t))
			out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second}), "orders")
			receiveAndAckAll(t, out, publish(t, publisher, "orders", 5))
			eventually(t, healTime, func() bool { return pendingCount(t, server, "orders", "g") == 0 }, "acks reach Redis")
			awaitBlockedReads(t, server, 1)

			server.Do(t, command...)
			receiveAndAckAll(t, out, publish(t, publisher, "orders", 5))
			requireNone(t, out, 500*time.Millisecond)
		})
	}
}

func TestNothingUnsettledIsLostWithItsGroup(t *testing.T) {
	t.Parallel()
	for _, nack := range []bool{false, true} {
		t.Run(fmt.Sprintf("nack=%v", nack), func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publisher := newPublisher(t, shared.Client(t))
			uuids := publish(t, publisher, topic, 1000)
			out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second}), topic)
			held, acked := holdWithBuffer(t, shared, out, topic, 5)

			shared.Do(t, "XGROUP", "DESTROY", topic, "g")
			eventually(t, healTime, func() bool { return groupExists(t, shared, topic, "g") && pendingCount(t, shared, topic, "g") > 5 },
				"what is held is registered in the new group")
			rest := uuids[len(acked)+1:]
			if nack {
				require.True(t, held.Nack())
				rest = uuids[len(acked):]
			} else {
				require.True(t, held.Ack())
			}
			if nack {
				require.Equal(t, held.UUID, receiveAndAck(t, out, 1, healTime)[0], "it comes before its successors")
				rest = rest[1:]
			}
			requireOnce(t, ackUntilSeen(t, out, rest, healTime))
			requireOnce(t, ackUntilSeen(t, out, publish(t, publisher, topic, 5), healTime))
			eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "all is acked in the new group")
			requireNone(t, out, 200*time.Millisecond)
		})
	}
}

func TestSubscriptionWithMessagesInHandHealsWhenItsStreamIsLost(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"FLUSHALL", "DEL orders"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			publisher := newPublisher(t, server.Client(t))
			publish(t, publisher, "orders", 1000)
			out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second}), "orders")
			held, _ := holdWithBuffer(t, server, out, "orders", 5)

			server.Do(t, strings.Fields(command)...)
			require.True(t, held.Ack())
			requireOnce(t, ackUntilSeen(t, out, publish(t, publisher, "orders", 50), healTime))
			eventually(t, healTime, func() bool { return pendingCount(t, server, "orders", "g") == 0 }, "all is acked in the new stream")
			requireNone(t, out, 500*time.Millisecond)
		})
	}
}

// One member notices the loss of the group at once and creates it again, so the
// other one, which is busy, never sees an error.
func TestBusyMemberKeepsItsMessagesWhenAnotherOneRestoresTheGroup(t *testing.T) {
	t.Parallel()
	for _, nack := range []bool{false, true} {
		t.Run(fmt.Sprintf("nack=%v", nack), func(t *testing.T) {
			t.Parallel()
			topic := newTopic(t)
			publisher := newPublisher(t, shared.Client(t))
			config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second}
			busy := subscribe(t, newSubscriber(t, shared, config), topic)
			uuids := publish(t, publisher, topic, 1)
			held := receive(t, busy, healTime)
			require.Equal(t, uuids[0], held.UUID)
			free := subscribe(t, newSubscriber(t, shared, config), topic)
			receiveAndAckAll(t, free, publish(t, publisher, topic, 3))

			shared.Do(t, "XGROUP", "DESTROY", topic, "g")
			eventually(t, healTime, func() bool { return groupExists(t, shared, topic, "g") }, "the group is created again")
			lost := heldFor(held, config.MinIdle)
			all := either(t, busy, free)
			switch {
			case lost != nil: // the free one read it from the new group, if the busy one created that
				require.ErrorIs(t, lost, redisstream.ErrLeaseLost)
				ackUntilSeen(t, all, uuids, healTime)
				require.True(t, held.Ack())
			case nack:
				require.True(t, held.Nack())
				ackUntilSeen(t, all, uuids, healTime)
			default:
				require.True(t, held.Ack())
			}
			eventually(t, healTime, func() bool {
				select {
				case msg := <-all:
					msg.Ack()
				default:
				}
				return pendingCount(t, shared, topic, "g") == 0
			}, "all is settled")
		})
	}
}

func TestTwoMembersLoseNothingWithTheirGroup(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 2 * time.Second}
	all := either(t, subscribe(t, newSubscriber(t, shared, config), topic), subscribe(t, newSubscriber(t, shared, config), topic))
	var uuids []string
	for range 5 {
		uuids = append(uuids, publish(t, publisher, topic, 300)...)
	}
	seen := map[string]int{}
	for i := 0; len(seen) < len(uuids); i++ {
		msg := receive(t, all, healTime)
		if i%400 == 200 {
			shared.Do(t, "XGROUP", "DESTROY", topic, "g")
		}
		seen[msg.UUID]++
		require.True(t, msg.Ack())
	}
	more := publish(t, publisher, topic, 20)
	ackUntilSeen(t, all, more, healTime)
}

// With delivery at most once nothing is pending, so nothing may come again.
func TestAtMostOnceRepeatsNothingWhenItsGroupIsLost(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", AtMostOnce: true, MaxInFlight: 4}), topic)
	publish(t, publisher, topic, 3)
	held := receive(t, out, healTime)
	receiveAndAck(t, out, 2, healTime)
	shared.Do(t, "XGROUP", "DESTROY", topic, "g")
	eventually(t, healTime, func() bool { return groupExists(t, shared, topic, "g") }, "the group is created again")
	require.Equal(t, publish(t, publisher, topic, 3), receiveAndAck(t, out, 3, healTime))
	require.True(t, held.Ack())
	requireNone(t, out, 500*time.Millisecond)
	require.Zero(t, pendingCount(t, shared, topic, "g"))
}

// commandCalls is how often the server has executed a command.
func commandCalls(tb testing.TB, server *redistest.Server, command string) (calls int64) {
	tb.Helper()
	stats, ok := server.Do(tb, "INFO", "commandstats").(string)
	require.True(tb, ok)
	if _, rest, ok := strings.Cut(stats, "cmdstat_"+command+":calls="); ok {
		_, err := fmt.Sscan(rest[:strings.IndexByte(rest, ',')], &calls)
		require.NoError(tb, err)
	}
	return calls
}

// Another member has created the group anew, and what we hold can't be registered
// there: that is tried with pauses.
func TestMemberThatCannotRestoreDoesNotSpin(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{ConsumerGroup: "g"}), "orders")
	publish(t, newPublisher(t, server.Client(t)), "orders", 1)
	held := receive(t, out, healTime)
	server.Do(t, "EVAL", `redis.call('XGROUP', 'DESTROY', KEYS[1], 'g')
		redis.call('XGROUP', 'CREATE', KEYS[1], 'g', '$')
		return redis.call('SET', KEYS[2], 'of another')`, "2", "orders", "{orders}:mark:g")
	server.Do(t, "ACL", "SETUSER", "default", "-xinfo|stream")
	before := commandCalls(t, server, "evalsha")
	require.True(t, held.Nack())
	requireNone(t, out, 2*time.Second)
	require.Less(t, commandCalls(t, server, "evalsha")-before, int64(60))
	server.Do(t, "ACL", "SETUSER", "default", "+@all")
	require.Equal(t, held.UUID, receiveAndAck(t, out, 1, healTime)[0])
}

// One message was in hand for long when the group is lost. What was acked behind
// it does not come again.
func TestAckedMessagesStayAckedWhenTheirGroupIsLost(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	out := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MaxInFlight: 16}), topic)
	publish(t, publisher, topic, 200)
	held := receive(t, out, healTime)
	receiveAndAck(t, out, 199, healTime)
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 1 }, "the others are acked")
	shared.Do(t, "XGROUP", "DESTROY", topic, "g")
	eventually(t, healTime, func() bool { return groupExists(t, shared, topic, "g") }, "the group is created again")
	requireNone(t, out, time.Second)
	require.True(t, held.Ack())
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 0 }, "it is acked in the new group")
}

// What a member gave back at its end belongs to nobody when the group is lost.
func TestReleasedMessagesAreNotLostWithTheirGroup(t *testing.T) {
	t.Parallel()
	const released = 20
	topic := newTopic(t)
	publisher := newPublisher(t, shared.Client(t))
	first := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MaxInFlight: released, CloseTimeout: time.Second})
	out := subscribe(t, first, topic)
	want := publish(t, publisher, topic, released)
	for range released {
		receive(t, out, healTime)
	}
	second := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	publish(t, publisher, topic, 1)
	held := receive(t, second, healTime)
	require.NoError(t, first.Close())
	require.Equal(t, int64(released+1), pendingCount(t, shared, topic, "g"))
	<-time.After(2 * time.Second) // the second one learns of it, and has no room for it
	shared.Do(t, "XGROUP", "DESTROY", topic, "g")
	require.True(t, held.Ack())
	ackUntilSeen(t, second, want, healTime)
}

// While a bad entry can't be moved to the dead letters another member restores
// the group, behind it.
func TestEntryThatCannotBeMovedIsNotLostWithItsGroup(t *testing.T) {
	t.Parallel()
	topic := newTopic(t)
	dead := "{" + topic + "}:dead:g"
	shared.Do(t, "SET", dead, "no stream")
	shared.Do(t, "XADD", topic, "*", "no", "message")
	publisher := newPublisher(t, shared.Client(t))
	publish(t, publisher, topic, 1)
	config := redisstream.SubscriberConfig{ConsumerGroup: "g", MinIdle: 3 * time.Second}
	busy := subscribe(t, newSubscriber(t, shared, config), topic)
	held := receive(t, busy, healTime)
	reading := subscribe(t, newSubscriber(t, shared, config), topic)
	publish(t, publisher, topic, 1)
	receiveAndAck(t, reading, 1, healTime)
	go func() { // the busy one may have seen it as released, and so it may come again
		for msg := range reading {
			msg.Ack()
		}
	}()
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 2 }, "the second message is acked")
	shared.Do(t, "XGROUP", "DESTROY", topic, "g")
	eventually(t, healTime, func() bool { return groupExists(t, shared, topic, "g") }, "the group is created again")
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == 2 }, "the busy one registers what it has")
	shared.Do(t, "DEL", dead)
	eventually(t, healTime, func() bool { return shared.Do(t, "EXISTS", dead) == int64(1) && shared.Do(t, "XLEN", dead) == int64(1) }, "it is moved")
	require.True(t, held.Ack())
}

// The ack comes after the group was found to be gone, and before the message is
// registered in the new one.
func TestAckWhileItsGroupIsRestoredCounts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.NewProxy(t, server.Addr())
	config := redisstream.SubscriberConfig{Client: server.Client(t, through(proxy)), ConsumerGroup: "g", MaxInFlight: 2}
	out := subscribe(t, newSubscriber(t, server, config), "orders")
	publish(t, newPublisher(t, server.Client(t)), "orders", 1)
	held := receive(t, out, healTime)
	awaitBlockedReads(t, server, 1)
	proxy.Delay(250 * time.Millisecond)
	calls := commandCalls(t, server, "xinfo|stream")
	server.Do(t, "XGROUP", "DESTROY", "orders", "g")
	eventually(t, healTime, func() bool { return commandCalls(t, server, "xinfo|stream") > calls }, "the group is being restored")
	require.True(t, held.Ack())
	eventually(t, healTime, func() bool { return groupExists(t, server, "orders", "g") }, "the group is created again")
	eventually(t, healTime, func() bool { return pendingCount(t, server, "orders", "g") == 0 }, "the ack counts")
	requireNone(t, out, time.Second)
}

// What was released, taken over and acked is nobody's to bring back, even if it
// happened since anybody last looked at what is released.
func TestTakenOverMessagesStayAckedWhenTheirGroupIsLost(t *testing.T) {
	t.Parallel()
	const released, acked = 100, 30
	topic := newTopic(t)
	want := publish(t, newPublisher(t, shared.Client(t)), topic, released)
	first := newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g", MaxInFlight: released, CloseTimeout: 10 * time.Millisecond})
	out := subscribe(t, first, topic)
	for range released {
		receive(t, out, healTime)
	}
	require.NoError(t, first.Close())
	second := subscribe(t, newSubscriber(t, shared, redisstream.SubscriberConfig{ConsumerGroup: "g"}), topic)
	require.Equal(t, want[:acked], receiveAndAck(t, second, acked, healTime))
	eventually(t, healTime, func() bool { return pendingCount(t, shared, topic, "g") == released-acked }, "they are acked")
	shared.Do(t, "XGROUP", "DESTROY", topic, "g")
	seen := ackUntilSeen(t, second, want[acked:], healTime)
	require.Len(t, seen, released-acked)
	requireOnce(t, seen)
	requireNone(t, second, 2*time.Second)
}
