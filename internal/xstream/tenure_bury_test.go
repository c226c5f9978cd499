package xstream

import (
	"context"
	"strconv"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestTenureBuries(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 6, "the greatest of a script": maxScriptValues, "large": maxScriptValues + 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t)
			deliver(t, p.Group, "p0", 1, 2)
			deliver(t, p.Group, "other", 3, 3)
			a := own(t, p, "a")
			fields := make([]string, size)
			for i := range fields {
				fields[i] = strconv.Itoa(i)
			}
			dead := DeadLetters("{"+p.Key+"}", p.Name)
			burial := Burial{Dead: dead, ID: id(1), Fields: fields}
			moved, err := a.Bury(t.Context(), burial)
			require.NoError(t, err)
			require.True(t, moved)
			require.Equal(t, map[string]string{id(2): "p0 1", id(3): "other 1"}, ownersOf(t, p.Group))

			for _, not := range []string{id(1), id(3), id(9)} {
				burial.ID = not
				moved, err = a.Bury(t.Context(), burial)
				require.NoError(t, err)
				require.False(t, moved, not)
			}
			letters, err := Stream{Client: p.Client, Key: dead}.Range(t.Context(), ID{}, 9)
			require.NoError(t, err)
			require.Len(t, letters, 1)
			require.Equal(t, fields, fieldsOf(letters[0]))
		})
	}
}

func TestTenureLosesNothingWhenTheDeadLettersAreNoStream(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 2, "large": 8000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPartition(t)
			deliver(t, p.Group, "p0", 1, 1)
			a := own(t, p, "a")
			dead := DeadLetters("{"+p.Key+"}", p.Name)
			shared.Do(t, "SET", dead, "no stream")
			moved, err := a.Bury(t.Context(), Burial{Dead: dead, ID: id(1), Fields: make([]string, size)})
			require.ErrorContains(t, err, "WRONGTYPE")
			require.False(t, moved)
			require.Len(t, ownersOf(t, p.Group), 1)
		})
	}
}

// The partition may be lost between the steps in which a large entry is moved.
func TestTenureBuriesWhatIsLargeBehindTheFence(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]string{"transaction": "+@all", "no transaction": "-multi"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			g := Group{Stream: newStream(t, server), Name: "g"}
			require.NoError(t, g.Create(t.Context(), "0"))
			add(t, g.Stream, 1, 1)
			server.Do(t, "XREADGROUP", "GROUP", "g", "p0", "STREAMS", g.Key, ">")
			server.Do(t, "ACL", "SETUSER", "default", without)
			a := own(t, Partition{Group: g, Lease: "{" + g.Key + "}:lease", Consumer: "p0"}, "a")
			a.Client = takenAway{g.Client, func() { server.Do(t, "HSET", a.Lease, "owner", "b") }}
			burial := Burial{Dead: "{" + g.Key + "}:dead", ID: id(1), Fields: make([]string, 8000)}
			moved, err := a.Bury(t.Context(), burial)
			require.ErrorIs(t, err, ErrFenced)
			require.False(t, moved)
			require.Len(t, server.Do(t, "XPENDING", g.Key, "g", "-", "+", "9"), 1)

			server.Do(t, "HSET", a.Lease, "owner", "a")
			a.Client = g.Client
			moved, err = a.Bury(t.Context(), burial)
			require.NoError(t, err)
			require.True(t, moved)
			require.Empty(t, server.Do(t, "XPENDING", g.Key, "g", "-", "+", "9"))
		})
	}
}

// takenAway is a client that does something before it sends several commands.
type takenAway struct {
	rueidis.Client

	before func()
}

func (c takenAway) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	c.before()
	return c.Client.DoMulti(ctx, cmds...)
}
