package incumbent_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill-redisstream/pkg/redisstream"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	ours "github.com/watermill-rueidis/redisstream"
)

var theirs redisstream.DefaultMarshallerUnmarshaller

func TestEachReadsWhatTheOtherWrites(t *testing.T) {
	t.Parallel()
	for msg := range messages(2000) {
		fromOurs, err := theirs.Unmarshal(read(marshalOurs(t, msg)))
		require.NoError(t, err)
		requireSame(t, msg, fromOurs)

		fromTheirs, err := ours.DefaultMarshaler{}.Unmarshal(ours.Entry{Fields: marshalTheirs(t, msg)})
		require.NoError(t, err)
		requireSame(t, msg, fromTheirs)
	}
}

// With one key there is only one order, so the bytes can be compared.
func TestBothWriteTheSameBytes(t *testing.T) {
	t.Parallel()
	for _, length := range []int{0, 1, 31, 32, 255, 256, 65535, 65536} {
		text := strings.Repeat("x", length)
		for _, metadata := range []message.Metadata{nil, {}, {"k": text}, {text: "v"}, {text: text}} {
			msg := message.NewMessage(text, []byte(text))
			msg.Metadata = metadata
			assert.ElementsMatch(t, marshalTheirs(t, msg), marshalOurs(t, msg), "length %d", length)
		}
	}
}

// With several keys the header can be compared, and the length of it all.
func TestBothWriteMapsOfTheSameSize(t *testing.T) {
	t.Parallel()
	const header = 3 // After it theirs has its keys in random order.
	for _, keys := range []int{2, 15, 16, 17, 65535, 65536} {
		msg := message.NewMessage("1", nil)
		for i := range keys {
			msg.Metadata[string(rune(i+0x10000))] = "v"
		}
		mine, other := metadataOf(marshalOurs(t, msg)), metadataOf(marshalTheirs(t, msg))
		require.Len(t, mine, len(other), "%d keys", keys)
		assert.Equal(t, other[:header], mine[:header], "%d keys", keys)
	}
}

func TestBothRefuseTheReservedKey(t *testing.T) {
	t.Parallel()
	require.Equal(t, redisstream.UUIDHeaderKey, ours.UUIDField)
	for _, value := range []string{"", "x"} {
		msg := message.NewMessage("1", nil)
		msg.Metadata.Set(ours.UUIDField, value)
		_, mine := ours.DefaultMarshaler{}.Marshal("topic", msg)
		_, other := theirs.Marshal("topic", msg)
		assert.Equal(t, other != nil, mine != nil, "value %q: theirs %v, ours %v", value, other, mine)
	}
}

// Entries that neither library wrote. In a mixed fleet both have to come to the
// same end with them. One field may be of any bytes, and any of the three can be
// missing.
func TestBothAgreeOnForeignEntries(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	metadata := []string{
		"", "\xc0", "\x80", "\x81\xa1k\xa1v", "\x81\xa1k\xc0", "\x81\xc4\x01k\xc4\x01v", "\x81\xa1k\xa1v\xff",
		"\x81\xa1k\x01", "\x81\x01\xa1v", "\x92\xa1k\xa1v", "\xde\x00", "\x82\xa1k\xa1v", "text", "\xc1",
		"\xd4\x05\x01\x81\xa1k\xa1v", "\xdf\x00\x00\x00\x01\xa1k\xa1v",
	}
	for range 2000 {
		metadata = append(metadata, "\x82"+text(random, 12))
	}
	for _, encoded := range metadata {
		fields := []ours.Field{
			{Name: ours.UUIDField, Value: "1"},
			{Name: "metadata", Value: encoded},
			{Name: "payload", Value: "p"},
		}
		requireAgreement(t, fields)
		for i := range fields {
			requireAgreement(t, slices.Delete(slices.Clone(fields), i, i+1))
		}
		requireAgreement(t, append(slices.Clone(fields), ours.Field{Name: "payload", Value: "last"}))
	}
}

func requireAgreement(t *testing.T, fields []ours.Field) {
	t.Helper()
	other, otherErr := theirs.Unmarshal(read(fields))
	mine, mineErr := ours.DefaultMarshaler{}.Unmarshal(ours.Entry{Fields: fields})
	require.Equal(t, otherErr != nil, mineErr != nil, "%q: theirs %v, ours %v", fields, otherErr, mineErr)
	if otherErr == nil {
		requireSame(t, other, mine)
	}
}

func requireSame(t *testing.T, want, got *message.Message) {
	t.Helper()
	require.Equal(t, want.UUID, got.UUID)
	require.Equal(t, string(want.Payload), string(got.Payload))
	require.Len(t, got.Metadata, len(want.Metadata))
	require.True(t, maps.Equal(want.Metadata, got.Metadata), "%q and %q", want.Metadata, got.Metadata)
}

func marshalOurs(t *testing.T, msg *message.Message) []ours.Field {
	t.Helper()
	fields, err := ours.DefaultMarshaler{}.Marshal("topic", msg)
	require.NoError(t, err)
	return fields
}

// marshalTheirs gives the fields as their client would send them.
func marshalTheirs(t *testing.T, msg *message.Message) []ours.Field {
	t.Helper()
	values, err := theirs.Marshal("topic", msg)
	require.NoError(t, err)
	fields := make([]ours.Field, 0, len(values))
	for name, value := range values {
		switch value := value.(type) {
		case string:
			fields = append(fields, ours.Field{Name: name, Value: value})
		case []byte:
			fields = append(fields, ours.Field{Name: name, Value: string(value)})
		default:
			t.Fatalf("field %q is a %T", name, value)
		}
	}
	return fields
}

func metadataOf(fields []ours.Field) string {
	for _, field := range fields {
		if field.Name == "metadata" {
			return field.Value
		}
	}
	return ""
}

// read gives the fields as their client would read them: in a map of strings.
func read(fields []ours.Field) map[string]any {
	entry := redis.XMessage{Values: make(map[string]any, len(fields))}
	for _, field := range fields {
		entry.Values[field.Name] = field.Value
	}
	return entry.Values
}

// messages yields messages of random bytes, a few of them empty.
func messages(n int) func(yield func(*message.Message) bool) {
	random := rand.New(rand.NewPCG(3, 4))
	return func(yield func(*message.Message) bool) {
		for range n {
			msg := message.NewMessage(text(random, 40), []byte(text(random, 400)))
			for range random.IntN(40) {
				msg.Metadata[text(random, 40)] = text(random, 300)
			}
			if !yield(msg) {
				return
			}
		}
	}
}

// text makes a string of any bytes with a length below the limit.
func text(random *rand.Rand, limit int) string {
	value := make([]byte, random.IntN(limit))
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	return string(value)
}
