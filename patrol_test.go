package redisstream

import (
	"cmp"
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// asking is a client that tells how many looks at pending entries go together.
type asking struct {
	rueidis.Client

	mode  rueidis.ClientMode
	mu    sync.Mutex
	alone int   // looks for one group; protected by mu
	many  []int // looks for several; protected by mu
}

func (a *asking) Mode() rueidis.ClientMode { return a.mode }

func (a *asking) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	if cmd.Commands()[0] == "XPENDING" {
		a.mu.Lock()
		a.alone++
		a.mu.Unlock()
	}
	return a.Client.Do(ctx, cmd) //nolint:forbidigo // it is a client
}

func (a *asking) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	if cmds[0].Commands()[0] == "XPENDING" {
		a.mu.Lock()
		a.many = append(a.many, len(cmds))
		a.mu.Unlock()
	}
	return a.Client.DoMulti(ctx, cmds...) //nolint:forbidigo // it is a client
}

// asked is what has been asked since the last call.
func (a *asking) asked() (alone int, many []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	alone, many, a.alone, a.many = a.alone, a.many, 0, nil
	return alone, many
}

func (p *patrol) size() int {
	patrols.mu.Lock()
	defer patrols.mu.Unlock()
	return len(p.posts)
}

func patrolOf(client rueidis.Client, period time.Duration) *patrol {
	patrols.mu.Lock()
	defer patrols.mu.Unlock()
	return patrols.all[patrolKey{client, period}]
}

const patrolTestIdle = 2 * time.Second // of which a quarter is the period

// idlers subscribes to topics of which nothing is pending, until the end of the test.
func idlers(t *testing.T, client rueidis.Client, topics ...string) *Subscriber {
	t.Helper()
	s, err := NewSubscriber(SubscriberConfig{Client: client, ConsumerGroup: "g", MinIdle: patrolTestIdle}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for _, topic := range topics {
		_, err := s.Subscribe(t.Context(), topic)
		require.NoError(t, err)
	}
	return s
}

func TestIdleSubscriptionsOfAClientAreLookedAfterTogether(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := &asking{Client: server.Client(t)}
	topics := strings.Split("abcdefghij", "")
	s := idlers(t, client, topics...)
	together := func() bool {
		p := patrolOf(client, patrolTestIdle/4)
		return p != nil && p.size() == len(topics)
	}
	require.Eventually(t, together, 20*time.Second, 10*time.Millisecond)
	client.asked()
	var rounds []int
	alone := 0
	require.Eventually(t, func() bool {
		n, many := client.asked()
		alone, rounds = alone+n, append(rounds, many...)
		return len(rounds) >= 4
	}, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, len(topics), rounds[0])
	require.Zero(t, alone, "nobody else needs to look")

	require.NoError(t, s.Close())
	require.Nil(t, patrolOf(client, patrolTestIdle/4), "who is last takes the patrol along")
}

func TestWhatSomebodyLeavesToAnIdleGroupIsFound(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	s := idlers(t, client, "other")
	out, err := s.Subscribe(t.Context(), "orders")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		p := patrolOf(client, patrolTestIdle/4)
		return p != nil && p.size() == 2
	}, 20*time.Second, 10*time.Millisecond)
	server.Do(t, "XADD", "orders", "1-1", UUIDField, "1")
	(<-out).Ack()
	require.Eventually(t, func() bool {
		pending, err := xstream.Group{Stream: xstream.Stream{Client: client, Key: "orders"}, Name: "g"}.Summary(t.Context())
		return err == nil && pending.Total == 0 && patrolOf(client, patrolTestIdle/4).size() == 2
	}, 20*time.Second, 10*time.Millisecond)
	server.Do(t, "XCLAIM", "orders", "g", "silent", "0", "1-1", "FORCE", "IDLE", "100000")
	select {
	case msg := <-out:
		require.Equal(t, "1", msg.UUID)
		require.True(t, msg.Ack())
	case <-time.After(20 * time.Second):
		require.FailNow(t, "nobody has looked")
	}
}

func TestNobodyPatrolsACluster(t *testing.T) {
	t.Parallel()
	client := &asking{mode: rueidis.ClientModeCluster}
	m := &member{group: xstream.Group{Stream: xstream.Stream{Client: client, Key: "orders"}, Name: "g"}}
	require.Nil(t, stand(m, time.Hour, time.Now(), nil))
}

// learning is a post that nobody asks for.
func learning() *post {
	return &post{member: &member{health: newHealth(time.Second)}, call: make(chan struct{}, 1)}
}

func TestPatrolCallsWhoHasSomethingToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pending int64
		err     error
		given   bool
		called  int
	}{
		"nothing":                   {},
		"pending":                   {pending: 1, called: 1},
		"no answer":                 {err: context.DeadlineExceeded, called: 1},
		"given back by us just now": {given: true, called: 1},
	} {
		o := learning()
		if c.given {
			o.member.unheld.released(unheldCounts("1-1"))
		}
		require.True(t, o.member.unheld.stale(), name)
		o.sawTotal(c.pending, c.err)
		require.Len(t, o.call, c.called, name)
		require.Equal(t, c.called > 0, o.member.unheld.stale(), name)
	}
}

// What was pending before an outage looks abandoned after it. Whatever was asked, and of whom,
// all hear of it.
func TestPatrolNotesOutages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes time.Duration
		each  error
		well  bool
	}{
		"well":    {0, nil, true},
		"slow":    {1100 * time.Millisecond, nil, false},
		"failed":  {time.Hour, nil, false},
		"refused": {0, context.DeadlineExceeded, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o, other := learning(), learning()
				p := &patrol{posts: map[*post]bool{o: true, other: true}}
				time.Sleep(time.Hour)
				survey(t.Context(), p, func(some *post) bool { return some == o },
					func(context.Context, rueidis.Client, []xstream.Group) []int {
						time.Sleep(c.takes)
						return []int{0}
					},
					func(o *post, _ int, err error) { o.sawStanding(xstream.Standing{}, cmp.Or(err, c.each)) })
				require.Equal(t, c.well, o.member.health.age() > time.Minute)
				if c.each == nil {
					require.Equal(t, c.well, other.member.health.age() > time.Minute)
				}
				time.Sleep(time.Hour) // what hangs ends
			})
		})
	}
}

func TestPatrolLearnsWhereTheGroupStands(t *testing.T) {
	t.Parallel()
	m, _, server := delaying(t)
	server.Do(t, "XACK", "orders", "g", "1-1")
	server.Do(t, "XADD", "orders", "7-1", "a", "b")
	server.Do(t, "XADD", "orders", "9-1", "a", "b")
	server.Do(t, "XGROUP", "SETID", "orders", "g", "7-1")
	o := stand(m, time.Hour, time.Now().Add(time.Hour), make(chan struct{}, 1))
	defer o.leave()
	o.patrol.round(t.Context())
	require.Equal(t, xstream.ID{}, m.position, "it is not yet time")
	patrols.mu.Lock()
	o.nextPos = time.Now()
	patrols.mu.Unlock()
	o.patrol.round(t.Context())
	require.Equal(t, xstream.ID{Ms: 7, Seq: 1}, m.position)
	require.Equal(t, xstream.ID{Ms: 9, Seq: 1}, m.seen)
	require.Greater(t, time.Until(o.nextPos), positionEvery/2)
	require.Empty(t, o.call)

	server.Do(t, "ACL", "SETUSER", "default", "-xinfo")
	patrols.mu.Lock()
	o.nextPos = time.Now()
	patrols.mu.Unlock()
	o.patrol.round(t.Context())
	require.Len(t, o.call, 1, "somebody has to say so")
	require.Greater(t, time.Until(o.nextPos), positionEvery/2, "not with each round")
}

// An answer may be about a group that has been lost since.
func TestPatrolForgetsWhatItAskedOfAFormerGroup(t *testing.T) {
	t.Parallel()
	o := learning()
	p := &patrol{posts: map[*post]bool{o: true}}
	survey(t.Context(), p, func(*post) bool { return true },
		func(context.Context, rueidis.Client, []xstream.Group) []int {
			o.member.epoch++
			return []int{0}
		},
		func(*post, int, error) { require.Fail(t, "it was told") })
}

func TestPostIsLeftOnce(t *testing.T) {
	t.Parallel()
	m, _, _ := delaying(t)
	first := stand(m, time.Hour, time.Now(), nil)
	first.leave()
	second := stand(m, time.Hour, time.Now(), nil)
	defer second.leave()
	first.leave()
	require.Same(t, second.patrol, patrolOf(m.group.Client, time.Hour))
}

func TestPatrolCallsWhoHasNoGroupAnyMore(t *testing.T) {
	t.Parallel()
	m, _, server := delaying(t)
	server.Do(t, "XACK", "orders", "g", "1-1")
	o := stand(m, time.Hour, time.Now().Add(time.Hour), make(chan struct{}, 1))
	defer o.leave()
	o.patrol.round(t.Context())
	require.Empty(t, o.call)
	server.Do(t, "XGROUP", "DESTROY", "orders", "g")
	o.patrol.round(t.Context())
	require.Len(t, o.call, 1)
}

// A post may be left while its answer is under way.
func TestPatrolTellsNobodyWhoHasLeft(t *testing.T) {
	t.Parallel()
	m, _, _ := delaying(t)
	o := stand(m, time.Hour, time.Now().Add(time.Hour), make(chan struct{}, 1))
	defer stand(m, time.Hour, time.Now().Add(time.Hour), make(chan struct{}, 1)).leave()
	survey(t.Context(), o.patrol, func(some *post) bool { return some == o },
		func(context.Context, rueidis.Client, []xstream.Group) []int {
			o.leave()
			return []int{1}
		},
		func(*post, int, error) { require.Fail(t, "it was told") })
}

func TestPatrolDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	m, _, _ := delaying(t)
	o := stand(m, time.Hour, time.Now().Add(time.Hour), make(chan struct{}, 1))
	defer o.leave()
	hung := make(chan struct{})
	defer close(hung)
	var got error
	survey(t.Context(), o.patrol, func(*post) bool { return true },
		func(context.Context, rueidis.Client, []xstream.Group) []int {
			<-hung
			return nil
		},
		func(_ *post, _ int, err error) { got = err })
	require.ErrorIs(t, got, context.DeadlineExceeded)
}
