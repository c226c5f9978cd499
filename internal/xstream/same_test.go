package xstream

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIsOther(t *testing.T) {
	t.Parallel()
	s := Stream{Client: shared.Client(t), Key: t.Name()}
	long := strings.Repeat("x", 2*printed)
	for _, fields := range [][]string{{"f", "a"}, {"f", "a"}, {"f", "b"}, {"g", "a"}, {"f", "a", "g", ""}, {"f", long}, {"f", long + "x"}} {
		shared.Do(t, append([]string{"XADD", s.Key, "*"}, fields...)...)
	}
	entries, err := s.Range(t.Context(), ID{}, 10)
	require.NoError(t, err)
	for i := range entries {
		entries[i].Seal()
	}
	require.False(t, entries[0].IsOther(&entries[1]))
	for i := range entries[1:] {
		for j := range i + 1 {
			require.True(t, entries[i+1].IsOther(&entries[j]) || i == 0, "%d %d", i+1, j)
		}
	}
	entries[0].Drop()
	require.False(t, entries[0].IsOther(&entries[1]), "it remembers")
	require.Equal(t, 2, entries[0].Seal(), "its size, too, so nobody looks twice")
	require.True(t, entries[0].IsOther(&entries[2]))
	require.False(t, entries[0].IsOther(&Entry{}), "nothing is known of it")
}
