package xstream

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRenewMakesALeaseLonger(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	a := own(t, p, "a")
	foreign, err := a.Renew(t.Context(), time.Hour)
	require.NoError(t, err)
	require.False(t, foreign)
	requireIn(t, time.Hour, expiry(t, p))
	grant, err := p.Acquire(t.Context(), "b", minute)
	require.NoError(t, err)
	require.Greater(t, grant.Left, 30*time.Minute, "it is as long as was asked for last")
}

func TestRenewWhenTheLeaseIsOver(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	a := own(t, p, "a")
	expire(t, p)
	_, err := a.Renew(t.Context(), minute)
	require.NoError(t, err, "nobody else has it")
	requireIn(t, minute, expiry(t, p))
	grant, err := p.Acquire(t.Context(), "b", minute)
	require.NoError(t, err)
	require.Zero(t, grant.Epoch)
}

func TestRenewSaysWhatOthersHave(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t, protocol)
			a := own(t, p, "a")
			shared.Do(t, "XGROUP", "CREATECONSUMER", p.Key, p.Name, "idle")
			requireForeign := func(want bool, why string) {
				t.Helper()
				foreign, err := a.Renew(t.Context(), minute)
				require.NoError(t, err)
				require.Equal(t, want, foreign, why)
			}
			requireForeign(false, "nothing is pending")
			deliver(t, p.Group, "p0", 1, 2)
			requireForeign(false, "it is all the partition's")
			set(t, p.Group, Released, 0, 1, id(2))
			requireForeign(true, "that was given back")
			shared.Do(t, "XACK", p.Key, p.Name, id(1), id(2))
			requireForeign(false, "nothing is pending")
			shared.Do(t, "XGROUP", "DESTROY", p.Key, p.Name)
			requireForeign(false, "there is no group")
			shared.Do(t, "DEL", p.Key)
			requireForeign(false, "there is no stream")
			requireIn(t, minute, expiry(t, p))
		})
	}
}

func TestReleaseLetsOthersHaveThePartition(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	a := own(t, p, "a")
	require.NoError(t, a.Release(t.Context()))
	_, err := a.Renew(t.Context(), minute)
	require.ErrorIs(t, err, ErrFenced)
	require.NoError(t, a.Release(t.Context()), "a second time")

	b := own(t, p, "b")
	require.NoError(t, a.Release(t.Context()), "it is not ours any more")
	_, err = b.Renew(t.Context(), minute)
	require.NoError(t, err, "and stays theirs")
}

// Nobody but the owner changes anything, however late a command is executed.
func TestFence(t *testing.T) {
	t.Parallel()
	calls := map[string]func(Tenure) error{
		"renew": func(t Tenure) error {
			_, err := t.Renew(context.Background(), time.Hour)
			return err
		},
		"release": func(t Tenure) error { return errors.Join(t.Release(context.Background()), ErrFenced) },
		"ack": func(t Tenure) error {
			_, err := t.Ack(context.Background(), ID{1, 1}, ids(1, 1))
			return err
		},
		"ack when the server went back": func(t Tenure) error {
			_, err := t.Ack(context.Background(), ID{2, 1}, ids(2, 2))
			return err
		},
		"recall": func(t Tenure) error {
			_, err := t.Recall(context.Background(), ID{}, 10)
			return err
		},
		"recount": func(t Tenure) error {
			_, err := t.Recount(context.Background(), each(7, id(1)))
			return err
		},
		"bury": func(t Tenure) error {
			_, err := t.Bury(context.Background(), Burial{Dead: t.Lease + ":dead", ID: id(1), Fields: []string{"a", "1"}})
			return err
		},
		"bury what is large": func(t Tenure) error {
			_, err := t.Bury(context.Background(), Burial{Dead: t.Lease + ":dead", ID: id(1), Fields: make([]string, 8000)})
			return err
		},
	}
	others := map[string]func(*testing.T, Tenure){
		"another member": func(t *testing.T, a Tenure) {
			t.Helper()
			expire(t, a.Partition)
			own(t, a.Partition, "b")
		},
		"another epoch": func(t *testing.T, a Tenure) {
			t.Helper()
			own(t, a.Partition, a.Member)
		},
		"nobody": func(t *testing.T, a Tenure) {
			t.Helper()
			require.NoError(t, a.Release(t.Context()))
		},
		"no lease at all": func(t *testing.T, a Tenure) {
			t.Helper()
			shared.Do(t, "DEL", a.Lease)
		},
		// Two grants of one epoch, as after a failover to a server whose clock is behind.
		"the same epoch": func(t *testing.T, a Tenure) {
			t.Helper()
			shared.Do(t, "HSET", a.Lease, "owner", "b")
		},
	}
	for whose, change := range others {
		t.Run(whose, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t)
			deliver(t, p.Group, "p0", 1, 2)
			deliver(t, p.Group, "other", 3, 3)
			a := own(t, p, "a")
			change(t, a)
			lease, owners := shared.Do(t, "HGETALL", p.Lease), ownersOf(t, p.Group)
			for name, call := range calls {
				require.ErrorIs(t, call(a), ErrFenced, name)
				require.Equal(t, lease, shared.Do(t, "HGETALL", p.Lease), name)
				require.Equal(t, owners, ownersOf(t, p.Group), name)
				require.Equal(t, int64(0), shared.Do(t, "EXISTS", p.Lease+":dead"), name)
			}
		})
	}
}

func TestAckSettles(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 4)
	a := own(t, p, "a")
	n, err := a.Ack(t.Context(), ID{1, 1}, ids(1, 2))
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	require.Equal(t, map[string]string{id(3): "p0 1", id(4): "p0 1"}, ownersOf(t, p.Group))
	n, err = a.Ack(t.Context(), ID{1, 1}, ids(1, 3))
	require.NoError(t, err)
	require.Equal(t, int64(1), n, "the answer had been lost")
	n, err = a.Ack(t.Context(), ID{4, 1}, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = a.Ack(t.Context(), ID{}, ids(4, 4))
	require.NoError(t, err, "nothing is before the first ID")
	require.Equal(t, int64(1), n)
}

func TestAckFindsThatTheServerWentBack(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 3)
	a := own(t, p, "a")
	n, err := a.Ack(t.Context(), ID{3, 1}, ids(3, 3)) // 1 and 2 were acked, and are again pending
	require.ErrorIs(t, err, ErrWentBack)
	require.Zero(t, n)
	require.Len(t, ownersOf(t, p.Group), 3, "what comes later is not settled before them")
	shared.Do(t, "XACK", p.Key, p.Name, id(1))
	_, err = a.Ack(t.Context(), ID{3, 1}, ids(3, 3))
	require.ErrorIs(t, err, ErrWentBack, "the entry right before it is one of them")
	shared.Do(t, "XACK", p.Key, p.Name, id(2))
	_, err = a.Ack(t.Context(), ID{3, 1}, ids(3, 3))
	require.NoError(t, err, "low itself is not")
}

func TestAckMindsNotWhatOthersHave(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 3)
	set(t, p.Group, Released, 0, 1, id(1))
	set(t, p.Group, "other", 0, 1, id(2))
	n, err := own(t, p, "a").Ack(t.Context(), ID{3, 1}, ids(3, 3))
	require.NoError(t, err)
	require.Equal(t, int64(1), n)
}

func TestConfirmFindsForgottenAcksAndAcksNothing(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 3)
	a := own(t, p, "a")
	require.NoError(t, a.Confirm(t.Context(), ID{1, 1}))
	require.ErrorIs(t, a.Confirm(t.Context(), ID{2, 1}), ErrWentBack)
	require.Len(t, ownersOf(t, p.Group), 3)
	a.Epoch--
	require.ErrorIs(t, a.Confirm(t.Context(), ID{1, 1}), ErrFenced)
}

func TestAckOfManyPages(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 2500)
	a := own(t, p, "a")
	n, err := a.Ack(t.Context(), ID{1, 1}, ids(1, 2400))
	require.NoError(t, err)
	require.Equal(t, int64(2400), n)
	require.Len(t, ownersOf(t, p.Group), 100)
}

func TestAckConfirmsAPageBeforeTheNext(t *testing.T) {
	t.Parallel()
	g := Group{Stream: Stream{Client: mock(t, number(1000), number(-2), number(7)), Key: "k"}, Name: "g"}
	n, err := Tenure{Partition: Partition{Group: g}}.Ack(t.Context(), ID{1, 1}, ids(1, 2001))
	require.ErrorIs(t, err, ErrWentBack)
	require.Equal(t, int64(1000), n)
}

func TestAckOfALostGroup(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	a := own(t, p, "a")
	shared.Do(t, "DEL", p.Key)
	for name, call := range map[string]func() error{
		"ack":    func() error { _, err := a.Ack(t.Context(), ID{1, 1}, ids(1, 1)); return err },
		"recall": func() error { _, err := a.Recall(t.Context(), ID{}, 1); return err },
	} {
		require.Equal(t, NoGroup, Classify(call()), name)
	}
}

func TestRecountSetsCounts(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 4)
	deliver(t, p.Group, "other", 5, 5)
	set(t, p.Group, "p0", 60_000, 3, id(1), id(2))
	shared.Do(t, "XDEL", p.Key, id(4))
	a := own(t, p, "a")
	counts, err := a.Recount(t.Context(), []Count{{id(1), 4}, {id(2), Unchanged}, {id(3), 0}, {id(4), 2}, {id(5), 2}, {id(6), 2}})
	require.NoError(t, err)
	require.Equal(t, []int64{4, 3, 0, Gone, NotMine, NotMine}, counts)
	require.Equal(t, map[string]string{id(1): "p0 4", id(2): "p0 3", id(3): "p0 0", id(5): "other 1"}, ownersOf(t, p.Group))
	require.Less(t, pendingOf(t, p.Group)[id(1)].idle, 30*time.Second)
}

func TestRecountOfManyPages(t *testing.T) {
	t.Parallel()
	p := newPartition(t)
	deliver(t, p.Group, "p0", 1, 300)
	a := own(t, p, "a")
	counts, err := a.Recount(t.Context(), each(5, ids(1, 300)...))
	require.NoError(t, err)
	require.Equal(t, slices.Repeat([]int64{5}, 300), counts)
	counts, err = a.Recount(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, counts)
}
