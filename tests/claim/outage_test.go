package claim_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

const (
	minIdle = 2 * time.Second
	// outage is how long the server does not serve.
	outage = 5 * time.Second
	// each is how many messages each live consumer works on.
	each = 10
	// attempts is how many outages may go well: who is first is a race.
	attempts = 3
	// healTime is for a busy machine.
	healTime = 30 * time.Second
)

// A read that claims waits on the server, which knows nothing of the outage that it had: the
// entries are idle, and nobody had a chance to renew them. A subscription in its place takes
// nothing; what that rests on is tested with the library, as by
// TestNobodyIsRobbedAfterTheServerWasAway.
//
// A server that is frozen is no case here: what the living sent before it stopped to answer is
// executed first when it goes on, so that it depends on whether they had something to renew.
func TestBlockedClaimRobsTheLivingAfterAnOutage(t *testing.T) {
	t.Parallel()
	for name, happen := range map[string]func(*testing.T, *redistest.Server){
		"away": func(t *testing.T, s *redistest.Server) {
			t.Helper()
			s.Kill(t)
			pass(t.Context(), outage)
			s.Restart(t)
		},
		"takes no writes": func(t *testing.T, s *redistest.Server) {
			t.Helper()
			s.Do(t, "CLIENT", "PAUSE", millis(outage), "WRITE")
			pass(t.Context(), outage)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lost := 0
			for i := 0; i < attempts && lost == 0; i++ {
				s, ok := newStage(t, redistest.AppendOnly("always"))
				if !ok {
					return
				}
				lost = s.lostTo(t, s.rob, func() { happen(t, s.server) })
				t.Logf("of %d messages in hand, %d were lost to a read that claims", 2*each, lost)
			}
			require.Positive(t, lost, "see whether DESIGN.md is still right about reads that claim")
			s, _ := newStage(t, redistest.AppendOnly("always"))
			join := func(t *testing.T) func() {
				t.Helper()
				s.subscribe(t)
				return func() {}
			}
			require.Zero(t, s.lostTo(t, join, func() { happen(t, s.server) }), "lost to a subscription")
		})
	}
}

// lostTo has two subscriptions work on messages while a third consumer comes and an outage
// happens. It returns how many of the messages were lost.
func (s *stage) lostTo(t *testing.T, come func(*testing.T) (stop func()), happen func()) (lost int) {
	t.Helper()
	s.add(t, 2*each)
	var held []*message.Message
	for range 2 {
		out := s.subscribe(t)
		for range each {
			held = append(held, receive(t, out))
		}
	}
	stop := come(t)
	defer stop()
	happen()
	require.Eventually(t, func() bool { return s.server.Ping(t.Context()) == nil }, healTime, 10*time.Millisecond)
	deadline := time.NewTimer(minIdle)
	defer deadline.Stop()
	for _, msg := range held {
		select {
		case <-msg.Context().Done():
			require.ErrorIs(t, context.Cause(msg.Context()), redisstream.ErrLeaseLost)
			lost++
		case <-deadline.C:
			return lost
		}
	}
	return lost
}

// subscribe adds a subscription that has room for as many messages as it gets here.
func (s *stage) subscribe(t *testing.T) <-chan *message.Message {
	t.Helper()
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: s.server.Client(t), ConsumerGroup: group, MinIdle: minIdle, MaxInFlight: each, CloseTimeout: time.Second,
	}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, subscriber.Close()) })
	out, err := subscriber.Subscribe(t.Context(), stream)
	require.NoError(t, err)
	return out
}

// rob has a consumer claim until stop. It returns once that has begun.
func (s *stage) rob(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var robbing sync.WaitGroup
	first := make(chan struct{})
	robbing.Go(func() {
		begun := sync.OnceFunc(func() { close(first) })
		for ctx.Err() == nil {
			_, err := s.tryClaim(ctx, "robber", minIdle, "COUNT", "100", "BLOCK", "500")
			begun()
			if err != nil { // the outage is no reason to stop
				pass(ctx, 10*time.Millisecond)
			}
		}
	})
	<-first
	return func() {
		cancel()
		robbing.Wait()
	}
}

func receive(t *testing.T, out <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, ok := <-out:
		require.True(t, ok, "the channel was closed")
		return msg
	case <-time.After(healTime):
		require.FailNow(t, "no message came")
		return nil
	}
}

func pass(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
