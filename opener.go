package redisstream

import (
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// opener makes messages of entries. It is safe for concurrent use.
type opener struct {
	stream      string
	unmarshaler Unmarshaler
	lends       bool // large payloads
}

// isQuick reports whether open never waits for anything, as somebody's unmarshaler may.
func (o *opener) isQuick() bool {
	_, ours := o.unmarshaler.(DefaultMarshaler)
	return ours
}

// open makes a message. It may take the fields of the entry with it: see lendFrom.
func (o *opener) open(e *xstream.Entry, size int) (*message.Message, error) {
	lent := o.lends && size >= lendFrom
	fields, _ := fieldLists.Get().(*[]Field)
	*fields = appendFields((*fields)[:0], e)
	msg, err := o.unmarshaler.Unmarshal(Entry{Stream: o.stream, ID: e.IDText(), Fields: withoutAddress(*fields), lent: lent})
	clear(*fields) // they hold the payload
	fieldLists.Put(fields)
	if lent {
		e.Drop()
	}
	if err != nil {
		return nil, err
	}
	if msg == nil {
		return nil, errors.New("unmarshaler returned no message")
	}
	if msg.Acked() == nil { // not made by message.NewMessage: it could not be waited for
		msg = msg.Copy()
	}
	return msg, nil
}

// fieldLists are used again and again, as nobody keeps the fields of an entry.
var fieldLists = sync.Pool{New: func() any { return new([]Field) }} //nolint:gochecknoglobals // one for all
