package redisstream

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// opener makes messages of entries. It is safe for concurrent use.
type opener struct {
	place                       // where the entries are
	values      context.Context //nolint:containedctx // what messages' contexts get their values from
	unmarshaler Unmarshaler
	lends       bool                                   // large payloads
	key         func(*message.Message) (string, error) // nil = none
}

// isQuick reports whether open never waits for anything, as somebody's unmarshaler may.
func (o *opener) isQuick() bool {
	_, ours := o.unmarshaler.(DefaultMarshaler)
	return ours
}

// openKeyed makes a message and learns its key.
func (o *opener) openKeyed(e *xstream.Entry, size int) (msg *message.Message, key string, err error) {
	msg, err = o.open(e, size)
	if err != nil || o.key == nil {
		return msg, "", err
	}
	if key, err = o.key(msg); err != nil {
		return nil, "", fmt.Errorf("partition key of entry %s: %w", e.IDText(), err)
	}
	return msg, key, nil
}

// open makes a message. It may take the fields of the entry with it: see lendFrom.
func (o *opener) open(e *xstream.Entry, size int) (*message.Message, error) {
	lent := o.lends && size >= lendFrom
	msg, err := o.unmarshal(e, lent)
	if lent {
		e.Drop()
	}
	if err != nil {
		return nil, fmt.Errorf("unmarshal entry %s: %w", e.IDText(), err)
	}
	if msg == nil {
		return nil, fmt.Errorf("unmarshal entry %s: %w", e.IDText(), errNoMessage)
	}
	if msg.Acked() == nil { // not made by message.NewMessage: it could not be waited for
		msg = msg.Copy()
	}
	return msg, nil
}

func (o *opener) unmarshal(e *xstream.Entry, lent bool) (*message.Message, error) {
	if o.isQuick() && isUsual(e) {
		return unmarshalUsual(e, lent)
	}
	fields, _ := fieldLists.Get().(*[]Field)
	defer fieldLists.Put(fields)
	*fields = appendFields((*fields)[:0], e)
	defer clear(*fields) // they hold the payload
	return o.unmarshaler.Unmarshal(Entry{Stream: o.stream, ID: e.IDText(), Fields: withoutAddress(*fields), lent: lent})
}

var errNoMessage = errors.New("unmarshaler returned no message")

// fieldLists are used again and again, as nobody keeps the fields of an entry.
var fieldLists = sync.Pool{New: func() any { return new([]Field) }} //nolint:gochecknoglobals // one for all
