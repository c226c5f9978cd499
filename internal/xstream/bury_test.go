package xstream

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestBuryMovesAnEntry(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 2)
	dead := DeadLetters("{"+g.Key+"}", g.Name)
	moved, err := g.Bury(t.Context(), Burial{Dead: dead, Consumer: "me", ID: id(1), Fields: []string{"b", "1", "a", "", "b", "\x00"}})
	require.NoError(t, err)
	require.True(t, moved)
	require.Equal(t, map[string]string{id(2): "me 1"}, ownersOf(t, g))
	letters := as[[]any](t, shared.Do(t, "XRANGE", dead, "-", "+"))
	require.Len(t, letters, 1)
	require.Equal(t, []any{"b", "1", "a", "", "b", "\x00"}, as[[]any](t, letters[0])[1])
}

func TestBuryOnlyItsOwn(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 1)
	deliver(t, g, "other", 2, 2)
	shared.Do(t, "XACK", g.Key, g.Name, id(1))
	dead := DeadLetters("{"+g.Key+"}", g.Name)
	for _, id := range ids(1, 3) {
		moved, err := g.Bury(t.Context(), Burial{Dead: dead, Consumer: "me", ID: id, Fields: []string{"a", "1"}})
		require.NoError(t, err)
		require.False(t, moved, id)
	}
	require.Equal(t, map[string]string{id(2): "other 1"}, ownersOf(t, g))
	require.Equal(t, int64(0), shared.Do(t, "EXISTS", dead))
}

func TestBuryLosesNothingWhenTheDeadLettersAreNoStream(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 1)
	dead := DeadLetters("{"+g.Key+"}", g.Name)
	shared.Do(t, "SET", dead, "no stream")
	moved, err := g.Bury(t.Context(), Burial{Dead: dead, Consumer: "me", ID: id(1), Fields: []string{"a", "1"}})
	require.ErrorContains(t, err, "WRONGTYPE")
	require.Equal(t, Refused, Classify(err))
	require.False(t, moved)
	require.Equal(t, map[string]string{id(1): "me 1"}, ownersOf(t, g))
}

func TestDiscardSparesWhoHasSomething(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "busy", 1, 1)
	shared.Do(t, "XGROUP", "CREATECONSUMER", g.Key, g.Name, "idle")
	for consumer, want := range map[string]bool{"busy": false, "idle": true} {
		removed, err := g.Discard(t.Context(), consumer)
		require.NoError(t, err)
		require.Equal(t, want, removed, consumer)
	}
	require.Equal(t, []string{"busy"}, consumersOf(t, g))
	require.Equal(t, map[string]string{id(1): "busy 1"}, ownersOf(t, g))
}

func TestHoldIsForOne(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	lease := ConsumerLease("{"+s.Key+"}", "g", "name")
	holder, err := s.Hold(t.Context(), lease, "a", "60000")
	require.NoError(t, err)
	require.Empty(t, holder)
	holder, err = s.Hold(t.Context(), lease, "b", "90000")
	require.NoError(t, err)
	require.Equal(t, "a", holder)
	require.LessOrEqual(t, shared.Do(t, "PTTL", lease), int64(60_000), "only the holder renews it")

	holder, err = s.Hold(t.Context(), lease, "a", "90000")
	require.NoError(t, err)
	require.Empty(t, holder)
	require.Greater(t, shared.Do(t, "PTTL", lease), int64(60_000))

	require.NoError(t, s.Drop(t.Context(), lease, "b"))
	require.Equal(t, "a", shared.Do(t, "GET", lease))
	require.NoError(t, s.Drop(t.Context(), lease, "a"))
	require.Nil(t, shared.Do(t, "GET", lease))
	require.NoError(t, s.Drop(t.Context(), lease, "a"), "there is none")
	holder, err = s.Hold(t.Context(), lease, "b", "60000")
	require.NoError(t, err)
	require.Empty(t, holder)
}

func TestHoldEndsByItself(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	lease := ConsumerLease("{"+s.Key+"}", "g", "name")
	_, err := s.Hold(t.Context(), lease, "a", "50")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		holder, err := s.Hold(t.Context(), lease, "b", "60000")
		return err == nil && holder == ""
	}, 5*time.Second, 10*time.Millisecond)
}

// A script can't pass as many values to a command as an entry may have.
func TestBuryAVeryLongEntry(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]string{"transaction": "+@all", "no transaction": "-multi"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			g := Group{Stream: newStream(t, server), Name: "g"}
			require.NoError(t, g.Create(t.Context(), "0"))
			add(t, g.Stream, 1, 1)
			server.Do(t, "XREADGROUP", "GROUP", "g", "me", "STREAMS", g.Key, ">")
			server.Do(t, "ACL", "SETUSER", "default", without)
			fields := make([]string, 20_000)
			for i := range fields {
				fields[i] = strconv.Itoa(i)
			}
			burial := Burial{Dead: "{" + g.Key + "}:dead", Consumer: "me", ID: id(1), Fields: fields}

			server.Do(t, "SET", burial.Dead, "no stream")
			_, err := g.Bury(t.Context(), burial)
			require.ErrorContains(t, err, "WRONGTYPE")
			require.Len(t, server.Do(t, "XPENDING", g.Key, "g", "-", "+", "9"), 1, "it is not lost")

			server.Do(t, "DEL", burial.Dead)
			moved, err := g.Bury(t.Context(), burial)
			require.NoError(t, err)
			require.True(t, moved)
			require.Empty(t, server.Do(t, "XPENDING", g.Key, "g", "-", "+", "9"))

			moved, err = g.Bury(t.Context(), burial)
			require.NoError(t, err)
			require.False(t, moved)
			letters, err := Stream{Client: g.Client, Key: burial.Dead}.Range(t.Context(), ID{}, 9)
			require.NoError(t, err)
			require.Len(t, letters, 1)
			require.Equal(t, fields, fieldsOf(letters[0]))
		})
	}
}

// A script and a transaction go on after a refused command: the letter would stay,
// and come again with each attempt.
func TestBuryWithoutTheRightToAckAddsNoLetter(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]int{"script": 2, "transaction": 8000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t)
			deliver(t, g, "me", 1, 1)
			shared.Do(t, "ACL", "SETUSER", g.Key, "on", "nopass", "~*", "+@all", "-xack")
			restricted := Group{Stream: newStream(t, shared, func(o *rueidis.ClientOption) { o.Username, o.Password = g.Key, "any" }), Name: g.Name}
			restricted.Key = g.Key
			dead := DeadLetters("{"+g.Key+"}", g.Name)
			_, err := restricted.Bury(t.Context(), Burial{Dead: dead, Consumer: "me", ID: id(1), Fields: make([]string, values)})
			require.Error(t, err)
			require.Equal(t, int64(0), shared.Do(t, "EXISTS", dead))
			require.Len(t, ownersOf(t, g), 1)
		})
	}
}
