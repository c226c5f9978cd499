package redisstream_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// addAs adds a message with an ID.
func addAs(t *testing.T, server *redistest.Server, topic, id, uuid string) {
	t.Helper()
	server.Do(t, "XADD", topic, id, redisstream.UUIDField, uuid, "metadata", "\x80", "payload", "x")
}

// A replica becomes the master that has not got everything, and goes on with entries of its own.
// Some come before what was read from the old master, and some have the same IDs.
func TestFanOutFindsWhatATakeoverHasPutBetween(t *testing.T) {
	t.Parallel()
	between := func(n, kept int) []int { return []int{10*kept + 5, 10*kept + 20, 10*kept + 25, 10 * n, 10*n + 5} }
	namesakes := func(n, kept int) []int {
		return []int{10*kept + 10, 10*kept + 20, 10*kept + 30, 10*kept + 40, 10*n + 5}
	}
	for name, c := range map[string]struct {
		n   int
		ids func(n, kept int) []int
	}{"few": {20, between}, "more than is remembered": {700, between}, "the same IDs": {20, namesakes}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := c.n
			server, topic := redistest.Start(t), newTopic(t)
			proxy := redistest.NewProxy(t, server.Addr())
			s := newSubscriber(t, server, redisstream.SubscriberConfig{Client: server.Client(t, through(proxy)), MaxInFlight: 100})
			out := subscribe(t, s, topic)
			want := map[string]int{}
			for i := range n {
				uuid := "old-" + strconv.Itoa(i)
				addAs(t, server, topic, strconv.Itoa(10*(i+1))+"-0", uuid)
				want[uuid]++
			}
			got := map[string]int{}
			collect := func(uuid string) {
				t.Helper()
				deadline := time.After(healTime)
				for got[uuid] == 0 {
					select {
					case msg := <-out:
						got[msg.UUID]++
						msg.Ack()
					case <-deadline:
						require.Fail(t, "not received", uuid)
					}
				}
			}
			collect("old-" + strconv.Itoa(n-1))
			proxy.Refuse()
			proxy.Cut()
			server.Do(t, "DEL", topic)
			kept := n - 6
			for i := range kept {
				addAs(t, server, topic, strconv.Itoa(10*(i+1))+"-0", "old-"+strconv.Itoa(i))
			}
			for i, id := range c.ids(n, kept) {
				uuid := "new-" + strconv.Itoa(i)
				addAs(t, server, topic, strconv.Itoa(id)+"-0", uuid)
				want[uuid]++
			}
			proxy.Allow()
			collect("new-4")
			require.Equal(t, want, got)
		})
	}
}

// Whoever deletes what is handled makes nothing come again.
func TestFanOutRepeatsNothingThatIsLeft(t *testing.T) {
	t.Parallel()
	for _, n := range []int{40, 3000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			server, topic := redistest.Start(t), newTopic(t)
			proxy := redistest.NewProxy(t, server.Addr())
			addAs(t, server, topic, "1-0", "before")
			s := newSubscriber(t, server, redisstream.SubscriberConfig{Client: server.Client(t, through(proxy)), MaxInFlight: 100})
			out := subscribe(t, s, topic)
			for i := 2; i < n; i++ {
				addAs(t, server, topic, strconv.Itoa(i)+"-0", strconv.Itoa(i))
			}
			for range n - 2 {
				receive(t, out, healTime).Ack()
			}
			for i := max(n-700, 2); i < n; i++ {
				if i%7 > 0 {
					server.Do(t, "XDEL", topic, strconv.Itoa(i)+"-0")
				}
			}
			server.Do(t, "XDEL", topic, strconv.Itoa(n-1)+"-0")
			proxy.Cut()
			addAs(t, server, topic, "5000-0", "after")
			require.Equal(t, "after", receive(t, out, healTime).UUID)
		})
	}
}

// To find out whether it is the same stream costs little, also where entries are large.
func TestFanOutOfLargeEntriesGoesOnOverASlowLine(t *testing.T) {
	t.Parallel()
	server, topic := redistest.Start(t), newTopic(t)
	proxy := redistest.NewProxy(t, server.Addr())
	client := server.Client(t, through(proxy), func(o *rueidis.ClientOption) { o.ConnWriteTimeout = redisstream.ClientOption().ConnWriteTimeout })
	out := subscribe(t, newSubscriber(t, server, redisstream.SubscriberConfig{Client: client}), topic)
	body := strings.Repeat("x", 500<<10)
	add := func(uuid string) {
		server.Do(t, "XADD", topic, "*", redisstream.UUIDField, uuid, "metadata", "\x80", "payload", body)
		msg := receive(t, out, 4*healTime)
		require.Equal(t, uuid, msg.UUID)
		msg.Ack()
	}
	for i := range 20 {
		add(strconv.Itoa(i))
	}
	proxy.Limit(1 << 20)
	proxy.Cut()
	add("after")
}
