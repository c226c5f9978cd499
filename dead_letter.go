package redisstream

import (
	"slices"
	"strconv"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// Fields that a dead letter has behind those of the entry, in this order. The
// first four are the keys of Watermill's poison queue, whose tools then
// understand it.
const (
	DeadReasonField     = "reason_poisoned"     // why it was given up
	DeadTopicField      = "topic_poisoned"      // where the entry was
	DeadHandlerField    = "handler_poisoned"    // the router's handler that had it last, if known
	DeadSubscriberField = "subscriber_poisoned" // the subscriber's type
	DeadEntryIDField    = "entry_id_poisoned"   // the entry's ID
	DeadGroupField      = "group_poisoned"      // the group that gave it up
	DeadConsumerField   = "consumer_poisoned"   // the consumer that gave it up
	DeadDeliveriesField = "deliveries_poisoned" // how often it was handed out
	DeadFirstTimeField  = "first_time_poisoned" // when the entry was added, in RFC 3339
	DeadLastTimeField   = "last_time_poisoned"  // when it was given up, by the consumer's clock
)

var deadFields = [...]string{ //nolint:gochecknoglobals // nobody writes to it
	DeadReasonField, DeadTopicField, DeadHandlerField, DeadSubscriberField, DeadEntryIDField,
	DeadGroupField, DeadConsumerField, DeadDeliveriesField, DeadFirstTimeField, DeadLastTimeField,
}

const deadTimeFormat = "2006-01-02T15:04:05.000Z07:00"

// DeadLetter is an entry that a group gave up.
type DeadLetter struct {
	ID string // of the letter, in the stream of dead letters

	Fields     []Field // the entry's own, as they were
	Reason     string
	Topic      string
	Handler    string // of the router; "" if not known
	Subscriber string
	EntryID    string // of the entry, in its topic
	Group      string
	Consumer   string
	Deliveries int64     // how often it was handed out
	FirstTime  time.Time // when the entry was added
	LastTime   time.Time // when it was given up, by the consumer's clock
}

// cutDeadFields parts the fields of a dead letter in those of the entry and those
// that describe it. The entry itself may have been a dead letter, so only the end
// counts. It reports false for an entry that is no dead letter.
func cutDeadFields(fields []Field) (own, said []Field, ok bool) {
	first := len(fields) - len(deadFields)
	if first < 0 {
		return fields, nil, false
	}
	own, said = fields[:first:first], fields[first:]
	for i, name := range deadFields {
		if said[i].Name != name {
			return fields, nil, false
		}
	}
	return own, said, true
}

// parseDeadLetter reports false for an entry that is no dead letter.
func parseDeadLetter(e *xstream.Entry) (DeadLetter, bool) {
	d := DeadLetter{ID: e.ID.String(), Fields: appendFields(nil, e)}
	own, said, ok := cutDeadFields(d.Fields)
	if !ok {
		return d, false
	}
	d.Fields = own
	d.Reason, d.Topic, d.Handler, d.Subscriber = said[0].Value, said[1].Value, said[2].Value, said[3].Value
	d.EntryID, d.Group, d.Consumer = said[4].Value, said[5].Value, said[6].Value
	d.Deliveries, _ = strconv.ParseInt(said[7].Value, 10, 64)
	d.FirstTime, _ = time.Parse(deadTimeFormat, said[8].Value)
	d.LastTime, _ = time.Parse(deadTimeFormat, said[9].Value)
	return d, true
}

// appendFields appends an entry's fields in their order.
func appendFields(fields []Field, e *xstream.Entry) []Field {
	fields = slices.Grow(fields, e.Len())
	for i := range e.Len() {
		name, value := e.Field(i)
		fields = append(fields, Field{name, value})
	}
	return fields
}
