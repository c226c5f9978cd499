package xstream

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// slot is the hash slot of a key, as the cluster specification has it.
func slot(key string) uint16 {
	if _, behind, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(behind, "}"); ok && tag != "" {
			key = tag
		}
	}
	var crc uint16
	for _, c := range []byte(key) {
		crc ^= uint16(c) << 8
		for range 8 {
			carry := crc & 0x8000
			crc <<= 1
			if carry != 0 {
				crc ^= 0x1021
			}
		}
	}
	return crc % 16384
}

// What CLUSTER KEYSLOT of a real server said.
func TestSlot(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]uint16{
		"123456789": 12739, "a}b": 7866, "{a}b}:dead:g": 15495, "{}x": 10595, "{{}x}:dead:g": 4092, "x{}y": 16116, "{x{}y}:dead:g": 3596,
	} {
		require.Equal(t, want, slot(key), key)
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	for stream, want := range map[string]string{
		"orders": "{orders}", "{orders}": "{orders}", "a{b}c": "a{b}c", "{a}{b}": "{a}{b}", "{a}}": "{a}}", "a{b": "{a{b}", "{{a}": "{{a}", "ö": "{ö}",
	} {
		prefix, err := Prefix(stream)
		require.NoError(t, err, stream)
		require.Equal(t, want, prefix)
	}
	for _, stream := range []string{"}", "{}", "{}x", "x{}y", "a}b", "}{", "a}b{", "{}{a}"} {
		_, err := Prefix(stream)
		require.ErrorIs(t, err, ErrUntaggable, stream)
	}
}

// Every key that is derived from a stream has to be in the stream's slot, and no
// other stream's.
func TestDerivedKeysShareTheSlotAndNothingElse(t *testing.T) {
	t.Parallel()
	alphabet := []string{"a", "b", "{", "}", ":", "-", "ö", "\x00"}
	word := func(least int) string {
		var out strings.Builder
		for range least + rand.IntN(7) {
			out.WriteString(alphabet[rand.IntN(len(alphabet))])
		}
		return out.String()
	}
	owners := map[string]string{}
	tagged := 0
	for range 20_000 {
		stream := word(1)
		prefix, err := Prefix(stream)
		if err != nil {
			require.ErrorIs(t, err, ErrUntaggable)
			require.Contains(t, stream, "}", "without one, braces around it make a tag")
			continue
		}
		tagged++
		require.Contains(t, prefix, stream)
		group, consumer := word(0), word(0)
		for _, key := range []string{
			DeadLetters(prefix, group), ConsumerLease(prefix, group, consumer), GroupMark(prefix, group),
			PartitionLease(prefix, group), Members(prefix, group), Owned(prefix, group), Wake(prefix, group),
		} {
			require.True(t, strings.HasPrefix(key, prefix), key)
			require.Equal(t, slot(stream), slot(key), "%q of %q", key, stream)
		}
		if other, taken := owners[prefix]; taken && other != stream {
			require.True(t, stream == "{"+other+"}" || other == "{"+stream+"}", "only x and {x} share their keys, not %q and %q", stream, other)
		}
		owners[prefix] = stream
	}
	require.Greater(t, tagged, 5000)
}
