package redisstream

import (
	"context"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// BenchmarkOpen makes messages of an entry as it was read, with the usual fields and with others.
func BenchmarkOpen(b *testing.B) {
	server := redistest.Start(b)
	for name, more := range map[string][]Field{"usual": nil, "more": {{"field", "value"}}} {
		b.Run(name, func(b *testing.B) {
			fields, err := DefaultMarshaler{}.Marshal("", message.NewMessage("0b5d1c1e-6f1c-4c55-9f2a-6a4a3b1d9f10", make([]byte, 128)))
			require.NoError(b, err)
			e := entryOf(b, server, append(fields, more...))
			o := &opener{unmarshaler: DefaultMarshaler{}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := o.open(&e, e.Seal()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What the opener makes of an entry is what its unmarshaler makes of the fields, whatever they are.
func TestOpenerMakesWhatTheUnmarshalerMakes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	usual, err := DefaultMarshaler{}.Marshal("", &message.Message{UUID: "u", Metadata: message.Metadata{"k": "v"}, Payload: []byte("p")})
	require.NoError(t, err)
	uuid, metadata, payload := usual[0], usual[1], usual[2]
	for name, fields := range map[string][]Field{
		"usual":            usual,
		"without metadata": {uuid, {metadataField, ""}, payload},
		"bad metadata":     {uuid, {metadataField, "\xc1"}, payload},
		"other order":      {metadata, uuid, payload},
		"other first":      {{"other", "x"}, metadata, payload},
		"other second":     {uuid, {"other", "x"}, payload},
		"other third":      {uuid, metadata, {"other", "x"}},
		"twice":            {uuid, metadata, payload, {payloadField, "q"}},
		"fewer":            {uuid, payload},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, wantErr := DefaultMarshaler{}.Unmarshal(Entry{Fields: fields})
			e := entryOf(t, server, fields)
			got, gotErr := (&opener{unmarshaler: DefaultMarshaler{}}).open(&e, e.Seal())
			if wantErr != nil {
				require.ErrorContains(t, gotErr, wantErr.Error())
				return
			}
			require.NoError(t, gotErr)
			require.True(t, got.Equals(want), "%v, want %v", got, want)
		})
	}
}

// entryOf reads an entry with the fields from a server.
func entryOf(tb testing.TB, server *redistest.Server, fields []Field) xstream.Entry {
	tb.Helper()
	args := []string{"XADD", tb.Name(), "*"}
	for _, f := range fields {
		args = append(args, f.Name, f.Value)
	}
	server.Do(tb, args...)
	entries, err := xstream.Stream{Client: server.Client(tb), Key: tb.Name()}.Range(context.Background(), xstream.ID{}, 1)
	require.NoError(tb, err)
	require.Len(tb, entries, 1)
	return entries[0]
}
