package xstream

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

const minute = time.Minute

// newPartition is a partition of the test's own, whose consumer is "p0".
func newPartition(tb testing.TB, mutate ...func(*rueidis.ClientOption)) Partition {
	tb.Helper()
	g := newGroup(tb, mutate...)
	return Partition{Group: g, Lease: PartitionLease("{"+g.Key+"}", g.Name), Consumer: "p0"}
}

// own acquires a partition.
func own(tb testing.TB, p Partition, member string) Tenure {
	tb.Helper()
	grant, err := p.Acquire(tb.Context(), member, minute)
	require.NoError(tb, err)
	require.NotZero(tb, grant.Epoch, "%s has it", grant.Owner)
	return Tenure{Partition: p, Member: member, Epoch: grant.Epoch}
}

// expire ends a lease before its time.
func expire(tb testing.TB, p Partition) {
	tb.Helper()
	shared.Do(tb, "HSET", p.Lease, "exp", "1")
}

// expiry is when a lease ends.
func expiry(tb testing.TB, p Partition) time.Time {
	tb.Helper()
	ms, err := strconv.ParseInt(as[string](tb, shared.Do(tb, "HGET", p.Lease, "exp")), 10, 64)
	require.NoError(tb, err)
	return time.UnixMilli(ms)
}

// requireIn checks that a time is about a duration from now.
func requireIn(tb testing.TB, want time.Duration, at time.Time) {
	tb.Helper()
	require.WithinDuration(tb, time.Now().Add(want), at, 30*time.Second)
}

func TestAcquireIsForOne(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t, protocol)
			first, err := p.Acquire(t.Context(), "a", minute)
			require.NoError(t, err)
			require.Equal(t, Grant{Epoch: first.Epoch}, first)
			requireIn(t, 0, time.UnixMilli(first.Epoch))
			requireIn(t, minute, expiry(t, p))

			refused, err := p.Acquire(t.Context(), "b", time.Hour)
			require.NoError(t, err)
			require.Zero(t, refused.Epoch)
			require.Equal(t, "a", refused.Owner)
			require.Greater(t, refused.Left, 30*time.Second)
			require.LessOrEqual(t, refused.Left, minute)
			requireIn(t, minute, expiry(t, p))
		})
	}
}

func TestAcquireAgainIsANewEpoch(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	first, second := own(t, p, "a"), own(t, p, "a")
	require.Greater(t, second.Epoch, first.Epoch)
	_, err := first.Renew(t.Context(), minute)
	require.ErrorIs(t, err, ErrFenced, "of two with the same name, the later one has it")
	_, err = second.Renew(t.Context(), minute)
	require.NoError(t, err)
}

func TestAcquireWhenTheLeaseIsOver(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	first := own(t, p, "a")
	expire(t, p)
	second := own(t, p, "b")
	require.Greater(t, second.Epoch, first.Epoch)

	grant, err := p.Acquire(t.Context(), "c", 10*time.Millisecond)
	require.NoError(t, err)
	require.Zero(t, grant.Epoch)
	expire(t, p)
	_, err = p.Acquire(t.Context(), "c", 10*time.Millisecond)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		grant, err := p.Acquire(t.Context(), "d", minute)
		return err == nil && grant.Epoch != 0
	}, 10*time.Second, time.Millisecond, "it ends by itself")
}

// Epochs are a token that says who is the later one, even to others than Redis.
func TestEpochsGrow(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	first := own(t, p, "a")
	require.NoError(t, first.Release(t.Context()))
	second := own(t, p, "b")
	require.Greater(t, second.Epoch, first.Epoch)

	time.Sleep(5 * time.Millisecond)
	shared.Do(t, "DEL", p.Lease)
	third := own(t, p, "a")
	require.Greater(t, third.Epoch, second.Epoch, "though the server has forgotten the last one")

	ahead := time.Now().Add(time.Hour).UnixMilli()
	shared.Do(t, "HSET", p.Lease, "epoch", strconv.FormatInt(ahead, 10))
	require.Equal(t, ahead+1, own(t, p, "a").Epoch, "though the clock went back")
}

func TestLeaseIsNotLongerThanItsTime(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	own(t, p, "a")
	shared.Do(t, "HSET", p.Lease, "exp", strconv.FormatInt(time.Now().Add(24*time.Hour).UnixMilli(), 10))
	grant, err := p.Acquire(t.Context(), "b", minute)
	require.NoError(t, err)
	require.Equal(t, "a", grant.Owner)
	require.LessOrEqual(t, grant.Left, minute)
	requireIn(t, minute, expiry(t, p))
}
