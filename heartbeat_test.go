package redisstream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func TestBufferIsReleasedBeforeOthersMayTakeIt(t *testing.T) {
	t.Parallel()
	for minIdle, want := range map[time.Duration]time.Duration{
		time.Second: 500 * time.Millisecond, 2 * time.Second: time.Second, time.Minute: time.Second,
	} {
		h := &heartbeat{member: &member{minIdle: minIdle}}
		require.Equal(t, want, h.patience())
	}
}

func TestReadIsASignOfLife(t *testing.T) {
	t.Parallel()
	m, _, server := delaying(t)
	shown := func() bool {
		server.Do(t, "CONFIG", "RESETSTAT")
		h := &heartbeat{member: m}
		require.NoError(t, h.show(t.Context()))
		require.NoError(t, h.show(t.Context()), "once is enough")
		calls, err := server.TryDo(t.Context(), "INFO", "commandstats")
		require.NoError(t, err)
		return strings.Contains(fmt.Sprint(calls), "cmdstat_xreadgroup:calls=1,")
	}
	require.True(t, shown(), "it has not read yet")
	m.hasRead("me", time.Now())
	require.False(t, shown())
	m.hasRead("me", time.Now().Add(-m.minIdle/3))
	require.True(t, shown(), "its last read is long ago")
	m.hasRead("me", time.Now())
	m.rename("another")
	m.hasRead("me", time.Now())
	require.True(t, shown(), "nobody has read under this name")
}

// While nothing is held there are no beats. What comes then must not wait for the next
// sign of life.
func TestWhatComesWhenNothingWasHeldIsLookedAfter(t *testing.T) {
	t.Parallel()
	m, e, server := delaying(t)
	server.Do(t, "XGROUP", "DELCONSUMER", "orders", "g", "me")
	m.minIdle = time.Hour
	m.ledger.settle(e, forgotten)
	h := &heartbeat{member: m, ledger: m.ledger, log: m.log}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.run(ctx) })
	defer running.Wait()
	defer stop()
	require.Eventually(t, func() bool {
		members, err := m.group.Consumers(t.Context())
		return err == nil && len(members) > 0
	}, 10*time.Second, 10*time.Millisecond, "it has given its sign of life")
	m.ledger.admit([]xstream.Entry{{ID: xstream.ID{Ms: 1, Seq: 1}, Deliveries: 1}}, admission{sent: time.Now(), counted: true})
	require.Eventually(t, func() bool {
		m.ledger.mu.Lock()
		defer m.ledger.mu.Unlock()
		return len(m.ledger.buffer) == 0 || m.ledger.buffer[0].kept // it has asked whether it is ours
	}, 10*time.Second, 10*time.Millisecond)
}

// What keeps us from renewing keeps others from it: what they have looks abandoned then.
func TestRefusedRenewalIsAnOutage(t *testing.T) {
	t.Parallel()
	m, e, server := delaying(t)
	server.Do(t, "ACL", "SETUSER", "default", "-evalsha")
	m.ledger.confirm(e, time.Now().Add(-m.minIdle))
	m.minIdle = time.Second
	m.health.since = time.Now().Add(-time.Hour)
	h := &heartbeat{member: m, ledger: m.ledger, log: m.log}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { h.run(ctx) })
	defer running.Wait()
	defer stop()
	require.Eventually(t, func() bool { return m.health.age() < time.Hour }, 10*time.Second, 10*time.Millisecond)
}
