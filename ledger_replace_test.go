package redisstream

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// namesakes are entries with the same ID, of two servers that did not know of each other.
func namesakes(t *testing.T) (old, other []xstream.Entry) {
	t.Helper()
	server := redistest.Start(t)
	lists := make([][]xstream.Entry, 2)
	for i, value := range []string{"old", "new"} {
		server.Do(t, "XADD", value, "5-1", "f", value)
		entries, err := xstream.Stream{Client: server.Client(t), Key: value}.Range(t.Context(), xstream.ID{}, 1)
		require.NoError(t, err)
		lists[i] = entries
	}
	return lists[0], lists[1]
}

func TestNamesakeOfWhatIsHeldIsHandedOut(t *testing.T) {
	t.Parallel()
	old, other := namesakes(t)
	handOut := func(l *ledger) *entry {
		t.Helper()
		e := l.take()
		require.NotNil(t, e)
		return e
	}
	value := func(e *entry) string {
		_, v := e.Field(0)
		return v
	}
	t.Run("waits", func(t *testing.T) {
		t.Parallel()
		old, other := slices.Clone(old), slices.Clone(other)
		l := newLedger(1, newPace(maxPrefetch))
		l.admit(old, read())
		l.admit(other, read())
		require.Equal(t, "new", value(handOut(l)))
		require.Nil(t, l.take())
	})
	t.Run("with a handler", func(t *testing.T) {
		t.Parallel()
		old, other := slices.Clone(old), slices.Clone(other)
		l := newLedger(2, newPace(maxPrefetch))
		l.admit(old, read())
		first := handOut(l)
		d := &delivery{}
		d.ctx.origin.opener = &opener{values: context.Background()}
		require.True(t, l.offer(first, d))
		l.admit(old, read())
		require.Nil(t, l.take(), "it is the same")
		require.NoError(t, d.ctx.Err())
		l.admit(other, read())
		require.ErrorIs(t, context.Cause(&d.ctx), ErrLeaseLost)
		second := handOut(l)
		require.Equal(t, "new", value(second))
		require.False(t, l.settle(first, acked), "its ack would be the other's")
		require.True(t, l.settle(second, acked))
	})
	t.Run("expired", func(t *testing.T) {
		t.Parallel()
		old, other := slices.Clone(old), slices.Clone(other)
		l := newLedger(2, newPace(maxPrefetch))
		a := newAcker(l, func(context.Context, []string) (int64, error) {
			return 0, errors.New("its ack would be the other's")
		}, newLogger(nil))
		l.admit(old, read())
		first := handOut(l)
		require.True(t, l.offer(first, &delivery{}))
		require.NotNil(t, l.expire(first))
		l.admit(other, read())
		require.False(t, l.settle(first, acked))
		require.True(t, l.isExpired(first))
		a.add(first)
		_, err := a.flush(t.Context())
		require.NoError(t, err)
		require.Equal(t, "new", value(handOut(l)))
	})
	t.Run("acked", func(t *testing.T) {
		t.Parallel()
		old, other := slices.Clone(old), slices.Clone(other)
		l := newLedger(1, newPace(maxPrefetch))
		var sent [][]string
		a := newAcker(l, func(_ context.Context, ids []string) (int64, error) {
			sent = append(sent, ids)
			return int64(len(ids)), nil
		}, newLogger(nil))
		l.admit(old, read())
		first := handOut(l)
		require.True(t, l.settle(first, acked))
		a.add(first)
		l.admit(other, read())
		n, err := a.flush(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		require.Empty(t, sent)
		second := handOut(l)
		require.Equal(t, "new", value(second))
		require.True(t, l.settle(second, acked))
		a.add(second)
		_, err = a.flush(t.Context())
		require.NoError(t, err)
		require.Equal(t, [][]string{{"5-1"}}, sent)
		require.Zero(t, l.size())
	})
}
