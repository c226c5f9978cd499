package xstream

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// fake is a client that is only looked at.
type fake struct {
	rueidis.Client
	_ int // two of them are never at the same address
}

// uncomparable is a wrapper that can't be the key of a map, but tells nobody.
type uncomparable struct {
	rueidis.Client
	tags []string
}

type wrapper struct{ rueidis.Client }

func reservedFor(client rueidis.Client) *usage {
	reserved.mu.Lock()
	defer reserved.mu.Unlock()
	return reserved.clients[client]
}

func TestReserveCountsConnections(t *testing.T) {
	t.Parallel()
	s, other := Stream{Client: &fake{}, Key: "a"}, Stream{Client: &fake{}, Key: "a"}
	var frees []func()
	for range 3 {
		free, err := Reserve(s, "", 3)
		require.NoError(t, err)
		frees = append(frees, free)
	}
	_, err := Reserve(s, "", 3)
	require.ErrorIs(t, err, ErrNoConnection)
	require.ErrorContains(t, err, "3")
	free, err := Reserve(other, "", 3)
	require.NoError(t, err, "each client has its own")
	free()

	frees[0]()
	frees[0]() // it frees one, however often it is called
	free, err = Reserve(s, "", 3)
	require.NoError(t, err)
	_, err = Reserve(s, "", 3)
	require.ErrorIs(t, err, ErrNoConnection)
	for _, free := range append(frees[1:], free) {
		require.NotNil(t, reservedFor(s.Client))
		free()
	}
	require.Nil(t, reservedFor(s.Client), "a client without a subscription is forgotten")
	require.Nil(t, reservedFor(other.Client))
}

func TestReserveRefusesAnotherStreamsKeys(t *testing.T) {
	t.Parallel()
	client := &fake{}
	plain, tagged := Stream{Client: client, Key: "x"}, Stream{Client: client, Key: "{x}"}
	first, err := Reserve(plain, "{x}", 10)
	require.NoError(t, err)
	second, err := Reserve(plain, "{x}", 10)
	require.NoError(t, err, "one stream may have many subscriptions")
	_, err = Reserve(tagged, "{x}", 10)
	require.ErrorIs(t, err, ErrPrefixTaken)
	require.ErrorContains(t, err, `"x" and "{x}"`)
	elsewhere, err := Reserve(Stream{Client: &fake{}, Key: "{x}"}, "{x}", 10)
	require.NoError(t, err, "another client may be of another server")
	elsewhere()
	first()
	_, err = Reserve(tagged, "{x}", 10)
	require.ErrorIs(t, err, ErrPrefixTaken)
	second()
	third, err := Reserve(tagged, "{x}", 1)
	require.NoError(t, err, "a refusal books nothing")
	third()
	require.Nil(t, reservedFor(client))
}

func TestReserveWithoutKeys(t *testing.T) {
	t.Parallel()
	client := &fake{}
	for _, key := range []string{"x", "{x}", "y"} {
		free, err := Reserve(Stream{Client: client, Key: key}, "", 3)
		require.NoError(t, err)
		t.Cleanup(free)
	}
}

func TestReserveOfWhatCannotBeRecognised(t *testing.T) {
	t.Parallel()
	for _, client := range []rueidis.Client{
		uncomparable{tags: []string{"a"}},
		wrapper{uncomparable{tags: []string{"a"}}},
	} {
		for range 3 {
			free, err := Reserve(Stream{Client: client, Key: "x"}, "{x}", 1)
			require.NoError(t, err)
			free()
			free()
		}
	}
	same := &fake{}
	free, err := Reserve(Stream{Client: wrapper{same}, Key: "x"}, "", 1)
	require.NoError(t, err)
	_, err = Reserve(Stream{Client: wrapper{same}, Key: "x"}, "", 1)
	require.ErrorIs(t, err, ErrNoConnection, "a wrapper that is equal is the same")
	free()
}

func TestReserveFromManyGoroutines(t *testing.T) {
	t.Parallel()
	const limit = 5
	s := Stream{Client: &fake{}, Key: "x"}
	var used atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 200 {
				free, err := Reserve(s, "{x}", limit)
				if err != nil {
					continue
				}
				if used.Add(1) > limit {
					t.Error("too many")
				}
				used.Add(-1)
				free()
			}
		})
	}
	group.Wait()
	require.Nil(t, reservedFor(s.Client))
}
