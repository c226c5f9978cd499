package redisstream_test

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/watermill-rueidis/redisstream"
)

var _ redisstream.MarshalerUnmarshaler = redisstream.DefaultMarshaler{}

// The bytes are part of what the library promises: entries written by any
// version, and by watermill-redisstream, stay in streams for a long time.
func TestMetadataHasGoldenBytes(t *testing.T) {
	t.Parallel()
	text := func(length int) string { return strings.Repeat("x", length) }
	for name, tc := range map[string]struct {
		metadata message.Metadata
		want     string
	}{
		"nil":                    {nil, ""},
		"empty":                  {message.Metadata{}, ""},
		"empty key and value":    {message.Metadata{"": ""}, "\x81\xa0\xa0"},
		"one":                    {message.Metadata{"key": "value"}, "\x81\xa3key\xa5value"},
		"sorted":                 {message.Metadata{"b": "2", "c": "3", "a": "1"}, "\x83\xa1a\xa11\xa1b\xa12\xa1c\xa13"},
		"longest fixstr":         {message.Metadata{"k": text(31)}, "\x81\xa1k\xbf" + text(31)},
		"shortest str8":          {message.Metadata{"k": text(32)}, "\x81\xa1k\xd9\x20" + text(32)},
		"longest str8":           {message.Metadata{"k": text(255)}, "\x81\xa1k\xd9\xff" + text(255)},
		"shortest str16":         {message.Metadata{"k": text(256)}, "\x81\xa1k\xda\x01\x00" + text(256)},
		"longest str16":          {message.Metadata{"k": text(65535)}, "\x81\xa1k\xda\xff\xff" + text(65535)},
		"shortest str32":         {message.Metadata{"k": text(65536)}, "\x81\xa1k\xdb\x00\x01\x00\x00" + text(65536)},
		"long key":               {message.Metadata{text(256): "v"}, "\x81\xda\x01\x00" + text(256) + "\xa1v"},
		"not UTF-8":              {message.Metadata{"\xff": "\x00\xfe"}, "\x81\xa1\xff\xa2\x00\xfe"},
		"15 keys":                {letters(15), "\x8f" + encodedLetters(15)},
		"16 keys":                {letters(16), "\xde\x00\x10" + encodedLetters(16)},
		"reserved key, no value": {message.Metadata{redisstream.UUIDField: ""}, "\x81\xb7_watermill_message_uuid\xa0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			msg := message.NewMessage("", nil)
			msg.Metadata = tc.metadata
			fields := marshal(t, msg)
			assert.Equal(t, tc.want, fields[1].Value)
			got := unmarshal(t, fields)
			assert.Len(t, got.Metadata, len(tc.metadata))
			assert.True(t, got.Equals(msg))
		})
	}
}

func letters(n int) message.Metadata {
	metadata := make(message.Metadata, n)
	for i := range n {
		metadata[string(rune('a'+i))] = ""
	}
	return metadata
}

func encodedLetters(n int) string {
	var text strings.Builder
	for i := range n {
		text.WriteString("\xa1" + string(rune('a'+i)) + "\xa0")
	}
	return text.String()
}

func TestEntryHasUUIDMetadataPayloadInThisOrder(t *testing.T) {
	t.Parallel()
	msg := message.NewMessage("the uuid", []byte("\x00\xff\r\n"))
	msg.Metadata.Set("k", "v")
	for range 20 {
		assert.Equal(t, []redisstream.Field{
			{Name: "_watermill_message_uuid", Value: "the uuid"},
			{Name: "metadata", Value: "\x81\xa1k\xa1v"},
			{Name: "payload", Value: "\x00\xff\r\n"},
		}, marshal(t, msg))
	}
}

func TestReservedMetadataKeyIsRefused(t *testing.T) {
	t.Parallel()
	msg := message.NewMessage("1", nil)
	msg.Metadata.Set(redisstream.UUIDField, "2")
	fields, err := redisstream.DefaultMarshaler{}.Marshal("topic", msg)
	require.ErrorContains(t, err, redisstream.UUIDField)
	assert.Nil(t, fields)
}

func TestAnyMessageRoundTrips(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		msg := message.NewMessage(binary(random, 40), []byte(binary(random, 300)))
		for range random.IntN(40) {
			msg.Metadata[binary(random, 40)] = binary(random, 300)
		}
		got := unmarshal(t, marshal(t, msg))
		require.Equal(t, msg.UUID, got.UUID)
		require.Equal(t, msg.Metadata, got.Metadata)
		require.Equal(t, msg.Payload, got.Payload)
	}
}

// binary makes a string of any bytes with a length below the limit.
func binary(random *rand.Rand, limit int) string {
	value := make([]byte, random.IntN(limit))
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	return string(value)
}

func TestNilPayloadArrivesEmpty(t *testing.T) {
	t.Parallel()
	fields := marshal(t, message.NewMessage("1", nil))
	assert.Empty(t, fields[2].Value)
	got := unmarshal(t, fields)
	assert.NotNil(t, got.Payload)
	assert.Empty(t, got.Payload)
}

func TestEachUnmarshalMakesAMessageOfItsOwn(t *testing.T) {
	t.Parallel()
	original := message.NewMessage("1", []byte("payload"))
	original.Metadata.Set("k", "v")
	fields := marshal(t, original)

	first := unmarshal(t, fields)
	clear(first.Payload)
	first.Metadata.Set("k", "changed")
	first.Ack()

	second := unmarshal(t, fields)
	assert.True(t, second.Equals(original))
	assert.True(t, second.Nack(), "settled by the first message")
}

func TestUnmarshalAcceptsForeignEntries(t *testing.T) {
	t.Parallel()
	uuid := redisstream.Field{Name: redisstream.UUIDField, Value: "1"}
	metadata := func(value string) redisstream.Field { return redisstream.Field{Name: "metadata", Value: value} }
	payload := func(value string) redisstream.Field { return redisstream.Field{Name: "payload", Value: value} }
	none, one := message.Metadata{}, message.Metadata{"k": "v"}

	for name, tc := range map[string]struct {
		fields   []redisstream.Field
		metadata message.Metadata
		payload  string
	}{
		"UUID only":              {[]redisstream.Field{uuid}, none, ""},
		"no payload":             {[]redisstream.Field{uuid, metadata("\x81\xa1k\xa1v")}, one, ""},
		"no metadata":            {[]redisstream.Field{uuid, payload("p")}, none, "p"},
		"empty metadata":         {[]redisstream.Field{uuid, metadata(""), payload("p")}, none, "p"},
		"nil metadata":           {[]redisstream.Field{uuid, metadata("\xc0"), payload("p")}, none, "p"},
		"empty map":              {[]redisstream.Field{uuid, metadata("\x80"), payload("p")}, none, "p"},
		"nil value":              {[]redisstream.Field{uuid, metadata("\x81\xa1k\xc0")}, message.Metadata{"k": ""}, ""},
		"bin instead of str":     {[]redisstream.Field{uuid, metadata("\x81\xc4\x01k\xc4\x01v")}, one, ""},
		"longer header":          {[]redisstream.Field{uuid, metadata("\xdf\x00\x00\x00\x01\xd9\x01k\xda\x00\x01v")}, one, ""},
		"bytes behind the map":   {[]redisstream.Field{uuid, metadata("\x81\xa1k\xa1v\xc1\xff")}, one, ""},
		"key twice":              {[]redisstream.Field{uuid, metadata("\x82\xa1k\xa1u\xa1k\xa1v")}, one, ""},
		"another order":          {[]redisstream.Field{payload("p"), metadata("\x81\xa1k\xa1v"), uuid}, one, "p"},
		"unknown fields":         {[]redisstream.Field{{Name: "", Value: "x"}, uuid, {Name: "PAYLOAD", Value: "x"}, payload("p")}, none, "p"},
		"last of duplicates":     {[]redisstream.Field{{Name: redisstream.UUIDField, Value: "0"}, payload("o"), uuid, payload("p")}, none, "p"},
		"last metadata is empty": {[]redisstream.Field{uuid, metadata("\x81\xa1k\xa1v"), metadata("")}, none, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			msg := unmarshal(t, tc.fields)
			assert.Equal(t, "1", msg.UUID)
			assert.Equal(t, tc.metadata, msg.Metadata)
			assert.Equal(t, message.Payload(tc.payload), msg.Payload)
		})
	}
}

func TestEmptyUUIDIsAUUID(t *testing.T) {
	t.Parallel()
	msg := unmarshal(t, []redisstream.Field{{Name: redisstream.UUIDField}})
	assert.Empty(t, msg.UUID)
}

func TestMissingUUIDIsAnErrorThatNamesTheFields(t *testing.T) {
	t.Parallel()
	many := make([]redisstream.Field, 100_000)
	for i := range many {
		many[i].Name = strings.Repeat("long", 1000) + strconv.Itoa(i)
	}
	for name, tc := range map[string]struct {
		fields []redisstream.Field
		want   string
	}{
		"none":  {nil, `has []`},
		"some":  {[]redisstream.Field{{Name: "event"}, {Name: "\xff"}}, `has ["event" "\xff"]`},
		"many":  {many, `99992 more`},
		"typo":  {[]redisstream.Field{{Name: strings.ToUpper(redisstream.UUIDField), Value: "1"}}, `"_WATERMILL_MESSAGE_UUID"`},
		"value": {[]redisstream.Field{{Name: "x", Value: redisstream.UUIDField}}, `has ["x"]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := redisstream.DefaultMarshaler{}.Unmarshal(redisstream.Entry{Fields: tc.fields})
			require.ErrorContains(t, err, `"`+redisstream.UUIDField+`" is missing`)
			require.ErrorContains(t, err, tc.want)
			assert.Less(t, len(err.Error()), 1000)
		})
	}
}

func TestMetadataThatIsNoMapOfStringsIsAnError(t *testing.T) {
	t.Parallel()
	for name, metadata := range map[string]string{
		"text":                 "hello",
		"JSON":                 `{"k":"v"}`,
		"number":               "\x01",
		"string":               "\xa1k",
		"array":                "\x92\xa1k\xa1v",
		"number as a value":    "\x81\xa1k\x01",
		"number as a key":      "\x81\x01\xa1v",
		"map as a value":       "\x81\xa1k\x81\xa1k\xa1v",
		"array as a value":     "\x81\xa1k\x91\xa1v",
		"cut off in header":    "\xde\x00",
		"cut off before value": "\x81\xa1k",
		"cut off in value":     "\x81\xa1k\xa5val",
		"fewer than claimed":   "\x82\xa1k\xa1v",
		"four billion claimed": "\xdf\xff\xff\xff\xff",
		"four GB value":        "\x81\xa1k\xdb\xff\xff\xff\xff",
		"never used":           "\xc1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := redisstream.DefaultMarshaler{}.Unmarshal(redisstream.Entry{Fields: []redisstream.Field{
				{Name: redisstream.UUIDField, Value: "1"},
				{Name: "metadata", Value: metadata},
			}})
			require.ErrorContains(t, err, `"metadata"`)
		})
	}
}

// The encoders are pooled by msgpack, so the rest of the program shares them.
func TestOptionsOfPooledEncodersDoNotLeakIn(t *testing.T) {
	t.Parallel()
	msg := message.NewMessage("1", nil)
	msg.Metadata = message.Metadata{"k": "same", "l": "same"}
	for range 100 {
		enc := msgpack.GetEncoder()
		enc.UseInternedStrings(true)
		msgpack.PutEncoder(enc)
		dec := msgpack.GetDecoder()
		dec.UseInternedStrings(true)
		msgpack.PutDecoder(dec)
		fields := marshal(t, msg)
		require.Equal(t, "\x82\xa1k\xa4same\xa1l\xa4same", fields[1].Value)
		require.Equal(t, msg.Metadata, unmarshal(t, fields).Metadata)
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add("1", true, "\x81\xa1k\xa1v", "payload", "extra")
	f.Add("", false, "", "", redisstream.UUIDField)
	f.Add("1", true, "\xdf\xff\xff\xff\xff", "", "metadata")
	f.Add("1", true, "\xc7\x01\x05\x81\xa1k\xa1v", "", "payload")
	f.Fuzz(func(t *testing.T, uuid string, hasUUID bool, metadata, payload, extra string) {
		fields := []redisstream.Field{{Name: "metadata", Value: metadata}, {Name: "payload", Value: payload}}
		if hasUUID {
			fields = append(fields, redisstream.Field{Name: redisstream.UUIDField, Value: uuid})
		}
		fields = append(fields, redisstream.Field{Name: extra, Value: payload})

		var codec redisstream.DefaultMarshaler
		msg, err := codec.Unmarshal(redisstream.Entry{Stream: "stream", ID: "1-0", Fields: fields})
		if err != nil {
			require.Nil(t, msg)
			return
		}
		require.NotNil(t, msg.Metadata)
		require.NotNil(t, msg.Payload)
		if msg.Metadata.Get(redisstream.UUIDField) != "" {
			_, err := codec.Marshal("topic", msg)
			require.Error(t, err)
			return
		}
		again := unmarshal(t, marshal(t, msg))
		require.Equal(t, msg.UUID, again.UUID)
		require.Equal(t, msg.Metadata, again.Metadata)
		require.Equal(t, msg.Payload, again.Payload)
	})
}

func BenchmarkMarshal(b *testing.B) {
	for name, msg := range samples() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (redisstream.DefaultMarshaler{}).Marshal("topic", msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	for name, msg := range samples() {
		b.Run(name, func(b *testing.B) {
			entry := redisstream.Entry{Fields: marshal(b, msg)}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (redisstream.DefaultMarshaler{}).Unmarshal(entry); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// samples are messages of 128 bytes with as much metadata as the name says.
func samples() map[string]*message.Message {
	samples := make(map[string]*message.Message)
	for _, keys := range []int{0, 1, 3} {
		msg := message.NewMessage("0b5d1c1e-6f1c-4c55-9f2a-6a4a3b1d9f10", make([]byte, 128))
		for i := range keys {
			msg.Metadata.Set("metadata_key_"+strconv.Itoa(i), "a value of usual length")
		}
		samples[strconv.Itoa(keys)+"keys"] = msg
	}
	return samples
}

func marshal(tb testing.TB, msg *message.Message) []redisstream.Field {
	tb.Helper()
	fields, err := redisstream.DefaultMarshaler{}.Marshal("topic", msg)
	require.NoError(tb, err)
	require.Len(tb, fields, 3)
	return fields
}

func unmarshal(tb testing.TB, fields []redisstream.Field) *message.Message {
	tb.Helper()
	msg, err := redisstream.DefaultMarshaler{}.Unmarshal(redisstream.Entry{Stream: "stream", ID: "1-0", Fields: fields})
	require.NoError(tb, err)
	return msg
}
