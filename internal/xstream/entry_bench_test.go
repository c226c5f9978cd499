package xstream

import (
	"strconv"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// BenchmarkParse parses the reply to a read of 256 entries with the fields of a
// message. One operation is a reply, so that what is allocated for each entry
// cannot hide among what is allocated once.
func BenchmarkParse(b *testing.B) {
	const entries = 256
	s := newStream(b, shared, resp3)
	var adds rueidis.Commands
	for n := range entries {
		adds = append(adds, s.Client.B().Xadd().Key(s.Key).Id(id(n+1)).FieldValue().
			FieldValue("_watermill_message_uuid", "0b5d1c1e-6f1c-4c55-9f2a-6a4a3b1d9f10").
			FieldValue("metadata", "").FieldValue("payload", string(make([]byte, 128))).Build())
	}
	for _, r := range s.Client.DoMulti(b.Context(), adds...) {
		require.NoError(b, r.Error())
	}
	read := s.Client.B().Arbitrary("XREAD", "COUNT", strconv.Itoa(entries), "STREAMS").Keys(s.Key).Args("0")
	reply, err := s.Client.Do(b.Context(), read.Build()).ToMessage()
	require.NoError(b, err)
	require.True(b, reply.IsMap())
	b.ReportAllocs()
	for b.Loop() {
		parsed, err := parseStreams(nil, &reply)
		if err != nil || len(parsed) != entries {
			b.Fatal(len(parsed), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/entries, "ns/entry")
}
