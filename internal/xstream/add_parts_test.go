package xstream

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// counted tells how often a client was called, and may say that it is one of a cluster.
type counted struct {
	rueidis.Client

	mode  rueidis.ClientMode
	calls atomic.Int64
}

func (c *counted) Mode() rueidis.ClientMode { return c.mode }

func (c *counted) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	c.calls.Add(1)
	return c.Client.Do(ctx, cmd)
}

func (c *counted) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	c.calls.Add(1)
	return c.Client.DoMulti(ctx, cmds...)
}

// partsOf has sizes[i] entries for a stream with the number i.
func partsOf(s Stream, sizes ...int) []Part {
	parts := make([]Part, len(sizes))
	for i, size := range sizes {
		parts[i] = Part{Stream: fmt.Sprintf("%s:%d", s.Key, i), Entries: additions(size)}
	}
	return parts
}

func TestAddParts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode  rueidis.ClientMode
		plain bool
		sizes []int
		calls int64
	}{
		"one":                    {rueidis.ClientModeStandalone, false, []int{5}, 1},
		"one entry":              {rueidis.ClientModeCluster, false, []int{1}, 1},
		"several":                {rueidis.ClientModeStandalone, false, []int{5, 1, 300, 2, 1}, 1},
		"several, one by one":    {rueidis.ClientModeStandalone, true, []int{5, 1, 300, 2, 1}, 1},
		"sentinel":               {rueidis.ClientModeSentinel, false, []int{2, 3}, 1},
		"cluster":                {rueidis.ClientModeCluster, false, []int{5, 1, 300, 2, 1}, 5},
		"cluster, one by one":    {rueidis.ClientModeCluster, true, []int{5, 1, 300, 2, 1}, 5},
		"single entries of each": {rueidis.ClientModeStandalone, false, []int{1, 1, 1}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, shared)
			client := &counted{Client: s.Client, mode: c.mode}
			a := NewAdder(client)
			a.plain.Store(c.plain)
			parts := partsOf(s, c.sizes...)
			added := a.AddParts(t.Context(), parts)
			for _, part := range parts {
				var want []string
				for i := range part.Entries {
					require.NoError(t, added[0].Err)
					want = append(want, fmt.Sprintf("[%s [n value %d]]", added[0].ID, i))
					added = added[1:]
				}
				require.Equal(t, want, stored(t, shared, Stream{Key: part.Stream}))
			}
			require.Empty(t, added)
			require.Equal(t, c.calls, client.calls.Load())
			require.Equal(t, c.plain, a.plain.Load())
		})
	}
}

// What goes wrong in one stream says nothing of the others, and nothing of it is added.
func TestAddPartsFailsForOneStream(t *testing.T) {
	t.Parallel()
	for _, mode := range []rueidis.ClientMode{rueidis.ClientModeStandalone, rueidis.ClientModeCluster} {
		s := newStream(t, shared)
		parts := partsOf(s, 2, 3, 1, 2)
		parts[1].Entries[1].Fields = nil // XADD needs one
		shared.Do(t, "SET", parts[2].Stream, "no stream")
		added := NewAdder(&counted{Client: s.Client, mode: mode}).AddParts(t.Context(), parts)
		require.Len(t, added, 8)
		for i, text := range []string{"", "", "EXECABORT", "wrong number of arguments", "EXECABORT", "WRONGTYPE", "", ""} {
			if text == "" {
				require.NoError(t, added[i].Err)
				require.NotEmpty(t, added[i].ID)
				continue
			}
			require.ErrorContains(t, added[i].Err, text)
			require.True(t, IsReply(added[i].Err))
			require.Empty(t, added[i].ID)
		}
		require.Equal(t, int64(0), shared.Do(t, "EXISTS", parts[1].Stream))
	}
}

// The caller may recover from a hook's panic; nothing may be read of its entries then.
func TestAddPartsPanicsWhenNobodyWorksAnyMore(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	client := &fallen{Client: s.Client, first: s.Key + ":0", busy: make(chan struct{})}
	require.PanicsWithValue(t, "no", func() { NewAdder(client).AddParts(t.Context(), partsOf(s, 2, 2, 2)) })
	require.Equal(t, int64(2), client.done.Load())
}

// fallen panics when it adds to the first stream, and then lets the others go on.
type fallen struct {
	rueidis.Client

	first string
	busy  chan struct{}
	done  atomic.Int64
}

func (*fallen) Mode() rueidis.ClientMode { return rueidis.ClientModeCluster }

func (f *fallen) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	if cmds[1].Commands()[1] == f.first {
		close(f.busy)
		panic("no") //nolint:forbidigo // it stands for code that is not ours
	}
	<-f.busy
	defer f.done.Add(1)
	return f.Client.DoMulti(ctx, cmds...)
}
