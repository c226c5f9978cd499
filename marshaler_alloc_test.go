//go:build !race

// The race detector makes sync.Pool forget at random, so allocations are
// counted without it.

package redisstream_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

//nolint:paralleltest // AllocsPerRun counts what the whole process allocates.
func TestMarshalerAllocs(t *testing.T) {
	var codec redisstream.DefaultMarshaler
	// Marshal: the fields; with metadata a buffer, its bytes, and the sorted
	// keys (of more than one). The payload is not copied.
	// Unmarshal: the message, its two channels, map and payload; with metadata
	// a reader, the map's storage, and each key and value.
	for name, ceiling := range map[string]struct{ marshal, unmarshal float64 }{
		"0keys": {1, 5},
		"1keys": {3, 9},
		"3keys": {4, 13},
	} {
		t.Run(name, func(t *testing.T) {
			msg := samples()[name]
			fields := marshal(t, msg)
			assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
				_, _ = codec.Marshal("topic", msg)
			}), ceiling.marshal, "Marshal")
			assert.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
				_, _ = codec.Unmarshal(redisstream.Entry{Fields: fields})
			}), ceiling.unmarshal, "Unmarshal")
		})
	}
}

// Whoever can write to the stream could otherwise take tens of megabytes of each
// consumer with five bytes.
//
//nolint:paralleltest // TotalAlloc counts what the whole process allocates.
func TestHostileMapHeaderAllocs(t *testing.T) {
	var codec redisstream.DefaultMarshaler
	fields := []redisstream.Field{
		{Name: redisstream.UUIDField, Value: "1"},
		{Name: "metadata", Value: "\xdf\xff\xff\xff\xff"},
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := codec.Unmarshal(redisstream.Entry{Fields: fields})
	runtime.ReadMemStats(&after)
	require.Error(t, err)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}
