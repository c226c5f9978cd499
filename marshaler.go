package redisstream

import (
	"bytes"
	"fmt"
	"strings"
	"unsafe"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// UUIDField is the field of a stream entry that holds the message's UUID. As a
// metadata key it is reserved.
const UUIDField = "_watermill_message_uuid"

// The other fields of an entry that DefaultMarshaler writes.
const (
	metadataField = "metadata"
	payloadField  = "payload"
)

// usualFields is how many fields the entries of DefaultMarshaler have.
const usualFields = 3

// Field is one field/value pair of a stream entry. Both parts are binary safe:
// Redis stores bytes, and nobody checks that they are UTF-8.
type Field struct{ Name, Value string }

// Entry is what an Unmarshaler gets to see of an entry that was read.
type Entry struct {
	// Stream is the key of the stream.
	Stream string
	// ID is the entry's ID as Redis writes it, such as 1700000000000-0.
	ID string
	// Fields are in the order in which they were added. A name can occur twice.
	Fields []Field

	lent bool // the message may have their memory
}

// Marshaler turns a message into the fields of a stream entry.
//
// The fields are sent in the order of the slice. Redis stores the names of an
// entry only once when its neighbor has the same names in the same order, so
// an order that never changes makes a stream smaller.
//
// The values may be views of the message: it must not be changed before Publish
// has returned. An error refuses the message, and nothing is sent.
type Marshaler interface {
	Marshal(topic string, msg *message.Message) ([]Field, error)
}

// Unmarshaler turns a stream entry into a message. It can be called more than
// once for one entry, which is what a redelivery is, and each call has to make a
// new message that shares no memory with the others. It must not panic: entries
// come from whoever can write to the stream. It must not keep the fields: the message
// that DefaultMarshaler makes of an entry of 64 KiB and more has their memory, which
// then belongs to the handler.
type Unmarshaler interface {
	Unmarshal(entry Entry) (*message.Message, error)
}

// MarshalerUnmarshaler does both.
type MarshalerUnmarshaler interface {
	Marshaler
	Unmarshaler
}

// DefaultMarshaler reads and writes the entries of watermill-redisstream, so
// that both libraries can work on one stream while a system moves over. An
// entry has three fields, always in this order: the UUID, the metadata as a
// MessagePack map (empty when there is none), and the payload as it is.
type DefaultMarshaler struct{}

// Marshal implements Marshaler. The payload is not copied. Metadata is encoded
// in the order of its keys, which makes equal messages equal entries. UUIDField
// as a metadata key is refused.
func (DefaultMarshaler) Marshal(_ string, msg *message.Message) ([]Field, error) {
	fields, err := usualEntry(msg)
	if err != nil {
		return nil, err
	}
	return fields[:], nil
}

// usualEntry are the fields that DefaultMarshaler makes of a message. They are an array, so
// that who only reads them allocates nothing.
func usualEntry(msg *message.Message) (fields [usualFields]Field, err error) {
	if msg.Metadata.Get(UUIDField) != "" {
		return fields, fmt.Errorf("metadata key %q is reserved for the UUID of the message", UUIDField)
	}
	metadata, err := encodeMetadata(msg.Metadata)
	if err != nil {
		return fields, fmt.Errorf("encode metadata: %w", err)
	}
	return [usualFields]Field{
		{UUIDField, msg.UUID},
		{metadataField, metadata},
		{payloadField, rueidis.BinaryString(msg.Payload)},
	}, nil
}

// Unmarshal implements Unmarshaler. The UUID must be there, the rest may be
// missing; the metadata and the payload of the message are never nil. Unknown
// fields are ignored, and of two with one name the last counts.
//
// Of a dead letter it makes the message that was given up, with what the letter
// says of it in the metadata, under the names of its fields, such as
// DeadReasonField.
func (DefaultMarshaler) Unmarshal(entry Entry) (*message.Message, error) {
	var said []Field
	entry.Fields, said, _ = cutDeadFields(entry.Fields)
	msg, err := unmarshal(&entry)
	if err != nil {
		return nil, err
	}
	for _, field := range said {
		msg.Metadata.Set(field.Name, field.Value)
	}
	return msg, nil
}

func unmarshal(entry *Entry) (*message.Message, error) {
	var uuid, metadata, payload string
	found := false
	for _, field := range entry.Fields {
		switch field.Name {
		case UUIDField:
			uuid, found = field.Value, true
		case metadataField:
			metadata = field.Value
		case payloadField:
			payload = field.Value
		}
	}
	if !found {
		return nil, fmt.Errorf("field %q is missing, the entry has %s", UUIDField, describeNames(entry.Fields))
	}
	return newMessage(uuid, metadata, bytesOf(payload, entry.lent))
}

// isUsual reports whether an entry has the fields that DefaultMarshaler writes and no others, as
// nearly all have.
func isUsual(e *xstream.Entry) bool {
	return e.Len() == usualFields && e.Name(0) == UUIDField && e.Name(1) == metadataField && e.Name(2) == payloadField
}

// unmarshalUsual is DefaultMarshaler's Unmarshal without a list of fields.
func unmarshalUsual(e *xstream.Entry, lent bool) (*message.Message, error) {
	return newMessage(e.Value(0), e.Value(1), bytesOf(e.Value(2), lent))
}

func newMessage(uuid, metadata string, payload []byte) (*message.Message, error) {
	msg := message.NewMessage(uuid, payload)
	if err := decodeMetadata(msg, metadata); err != nil {
		return nil, fmt.Errorf("decode field %q: %w", metadataField, err)
	}
	return msg, nil
}

// bytesOf is a copy, unless nobody else needs the text any more: a handler may write to
// its payload, and the next delivery is made from the same fields.
//
//nolint:revive // whose memory it is decides
func bytesOf(text string, lent bool) []byte {
	if !lent || text == "" {
		return []byte(text)
	}
	return unsafe.Slice(unsafe.StringData(text), len(text)) //nolint:gosec // rueidis made the text of bytes that were allocated for it
}

func encodeMetadata(metadata message.Metadata) (string, error) {
	if len(metadata) == 0 {
		return "", nil
	}
	var buf bytes.Buffer
	buf.Grow(encodedSize(metadata))
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(&buf)
	enc.SetSortMapKeys(true)
	if err := enc.Encode(map[string]string(metadata)); err != nil {
		return "", err
	}
	return rueidis.BinaryString(buf.Bytes()), nil
}

// encodedSize is the most that the metadata can need, so that the buffer is
// allocated once. A header takes at most five bytes.
func encodedSize(metadata message.Metadata) int {
	const header = 5
	size := header
	for key, value := range metadata {
		size += header + len(key) + header + len(value)
	}
	return size
}

// decodeMetadata sets the metadata of a new message. What follows the map is
// ignored, as watermill-redisstream does.
func decodeMetadata(msg *message.Message, encoded string) error {
	if encoded == "" {
		return nil
	}
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(strings.NewReader(encoded))
	// Into the map that NewMessage made: for a nil one the decoder would allocate
	// what the header claims, and five hostile bytes can claim a million keys.
	if err := dec.Decode((*map[string]string)(&msg.Metadata)); err != nil {
		return err
	}
	if msg.Metadata == nil { // A MessagePack nil sets the map to nil.
		msg.Metadata = message.Metadata{}
	}
	return nil
}

// describeNames lists the names for an error, but not without end: neither
// their number nor their length is ours to choose.
func describeNames(fields []Field) string {
	const most = 8
	names := make([]string, 0, most)
	for _, field := range fields[:min(len(fields), most)] {
		names = append(names, field.Name)
	}
	text := fmt.Sprintf("%.40q", names)
	if more := len(fields) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
