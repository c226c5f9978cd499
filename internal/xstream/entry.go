package xstream

import (
	"fmt"
	"slices"

	"github.com/redis/rueidis"
)

// Entry is one entry of a stream. Its values are views of the reply, which
// nothing else refers to: they stay valid for as long as somebody holds them.
type Entry struct {
	ID     ID
	text   string                 // the ID as the server wrote it
	values []rueidis.RedisMessage // name, value, name, value…
	print  uint64                 // see Seal; 0 = not known
	size   int                    // the same
	// Deliveries is what the server counts when the entry was taken over; 1
	// for an entry that was just read.
	Deliveries int64
}

// IDText is the ID as Redis writes it.
func (e *Entry) IDText() string {
	if e.text == "" {
		return e.ID.String()
	}
	return e.text
}

// Drop lets go of the fields.
func (e *Entry) Drop() { e.values = nil }

// Refill takes over the fields of the same entry, read again.
func (e *Entry) Refill(same Entry) { e.values = same.values }

// Len is the number of fields.
func (e *Entry) Len() int { return len(e.values) / 2 }

// Field is the name and the value of field i.
func (e *Entry) Field(i int) (name, value string) { return e.Name(i), e.Value(i) }

// Name is the name of field i.
func (e *Entry) Name(i int) string {
	name, _ := e.values[2*i].ToString()
	return name
}

// Value is the value of field i.
func (e *Entry) Value(i int) string {
	value, _ := e.values[2*i+1].ToString()
	return value
}

// parseStreams appends the entries of an XREAD or XREADGROUP reply. It is a map
// in RESP3, a list of pairs in RESP2, and a list in RESP3 from some servers.
func parseStreams(entries []Entry, reply *rueidis.RedisMessage) ([]Entry, error) {
	if reply.IsMap() {
		streams, err := reply.AsMap()
		if err != nil {
			return entries, err
		}
		for _, list := range streams {
			if entries, err = parseEntries(entries, &list); err != nil {
				return entries, err
			}
		}
		return entries, nil
	}
	pairs, err := reply.ToArray()
	if err != nil {
		return entries, err
	}
	for i := range pairs {
		pair, err := pairs[i].ToArray()
		if err != nil {
			return entries, err
		}
		if len(pair) != 2 {
			return entries, fmt.Errorf("stream reply with %d parts, want 2", len(pair))
		}
		if entries, err = parseEntries(entries, &pair[1]); err != nil {
			return entries, err
		}
	}
	return entries, nil
}

func parseEntries(entries []Entry, list *rueidis.RedisMessage) ([]Entry, error) {
	items, err := list.ToArray()
	if err != nil {
		return entries, err
	}
	entries = slices.Grow(entries, len(items))
	for i := range items {
		parts, err := items[i].ToArray()
		if err != nil {
			return entries, err
		}
		if len(parts) < 2 {
			return entries, fmt.Errorf("stream entry with %d parts, want 2", len(parts))
		}
		entry, err := parseEntry(&parts[0], &parts[1], 1)
		if err != nil {
			return entries, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

func parseEntry(id, fields *rueidis.RedisMessage, deliveries int64) (Entry, error) {
	entry := Entry{Deliveries: deliveries}
	var err error
	if entry.text, err = id.ToString(); err != nil {
		return entry, err
	}
	if entry.ID, err = ParseID(entry.text); err != nil {
		return entry, err
	}
	entry.values, err = fields.ToArray()
	if rueidis.IsRedisNil(err) {
		err = nil
	}
	return entry, err
}
