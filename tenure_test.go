package redisstream

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

func TestTenureEndsByItself(t *testing.T) {
	t.Parallel()
	tenure := newTenure()
	require.False(t, tenure.holds(), "nobody has granted it")
	tenure.extend(time.Now().Add(time.Hour), time.Now())
	require.True(t, tenure.holds())
	tenure.extend(time.Now().Add(-time.Millisecond), time.Now())
	require.False(t, tenure.holds())
	require.False(t, tenure.inTime())
	require.False(t, tenure.isOver(), "it may be confirmed late")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.False(t, tenure.await(ctx))
}

// A suspended machine stops the monotonic clock, and a wall clock that is set does not
// end a tenure later than that.
func TestTenureEndsByTheClockThatIsAhead(t *testing.T) {
	t.Parallel()
	hour := time.Now().Add(time.Hour)
	for name, r := range map[string]right{
		"monotonic": {until: time.Now().Add(-time.Second), wall: hour.UnixNano()},
		"wall":      {until: hour, wall: time.Now().Add(-time.Second).UnixNano()},
	} {
		require.Negative(t, r.left(), name)
	}
}

func TestTenureInDoubtWaitsForItsConfirmation(t *testing.T) {
	t.Parallel()
	tenure := newTenure()
	tenure.extend(time.Now().Add(time.Hour), time.Now())
	tenure.suspend()
	require.False(t, tenure.holds())
	require.True(t, tenure.inTime())
	waited := make(chan bool)
	for range 2 {
		go func() { waited <- tenure.await(t.Context()) }()
		go func() { waited <- tenure.undoubted(t.Context()) }()
	}
	select {
	case <-waited:
		require.Fail(t, "it is in doubt")
	case <-time.After(20 * time.Millisecond):
	}
	tenure.extend(time.Now().Add(time.Hour), time.Now())
	for range 4 {
		require.True(t, <-waited)
	}
}

func TestTenureThatIsOverStaysSo(t *testing.T) {
	t.Parallel()
	tenure := newTenure()
	tenure.extend(time.Now().Add(time.Hour), time.Now())
	changed := tenure.next()
	require.True(t, tenure.finish())
	<-changed
	require.False(t, tenure.finish(), "once is enough")
	tenure.extend(time.Now().Add(time.Hour), time.Now())
	require.True(t, tenure.isOver())
	require.False(t, tenure.holds())
	require.False(t, tenure.await(t.Context()))
	require.False(t, tenure.undoubted(t.Context()))
}

// The time-out of a renewal is longer than the tenure lasts.
func TestEndOfATenureIsNoticedDuringARenewal(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	h := &holding{
		lease: xstream.Tenure{
			Partition: xstream.Partition{Group: xstream.Group{Stream: xstream.Stream{Client: server.Client(t), Key: "s"}, Name: "g"}, Lease: "{s}:lease:g"},
			Member:    "m", Epoch: 1,
		},
		tenure: newTenure(),
		terms:  terms{ttl: time.Minute},
		ledger: newLedger(1, newPace(1)),
		doubts: make(chan struct{}, 1),
		log:    newLogger(nil),
	}
	lost := make(chan error, 1)
	h.stop = func(cause error) { lost <- cause }
	server.Pause(t)
	defer server.Resume(t)
	h.tenure.extend(time.Now().Add(300*time.Millisecond), time.Now())
	h.doubt()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.keepLease(t.Context())
	}()
	select {
	case cause := <-lost:
		require.ErrorIs(t, cause, ErrPartitionLost)
	case <-time.After(2 * time.Second): // a renewal waits for six times as long
		require.Fail(t, "it goes on")
	}
	<-ended
}
