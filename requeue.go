package redisstream

import "github.com/watermill-rueidis/redisstream/internal/xstream"

// Fields at the end of a copy that was made of a dead letter whose entry no
// longer existed. All groups read it, and only the one that it is for hands it out.
const (
	requeuedForField  = "requeued_for"  // the group
	requeuedFromField = "requeued_from" // the ID of the entry that was given up first
)

// requeueOf is how a letter is given back.
func requeueOf(dead string, d *DeadLetter) xstream.Requeue {
	own, from := len(d.Fields), d.EntryID
	if first, ok := requeuedFrom(d.Fields); ok { // a copy that was given up again
		own, from = own-2, first
	}
	return xstream.Requeue{
		Dead: dead, Letter: d.ID, Entry: d.EntryID, Own: 2 * own,
		Address: []string{requeuedForField, d.Group, requeuedFromField, from},
	}
}

// requeuedFrom is where a copy comes from, if the fields are those of one.
func requeuedFrom(fields []Field) (entry string, ok bool) {
	n := len(fields)
	if n < 2 || fields[n-2].Name != requeuedForField || fields[n-1].Name != requeuedFromField {
		return "", false
	}
	return fields[n-1].Value, true
}

// addressee is the group that an entry is for, if it is for one alone.
func addressee(e *entry) (group string, ok bool) {
	n := e.Len()
	if n < 2 {
		return "", false
	}
	if e.Name(n-1) != requeuedFromField {
		return "", false
	}
	name, group := e.Field(n - 2)
	return group, name == requeuedForField
}

// withoutAddress are the fields of an entry without those that make it a copy.
func withoutAddress(fields []Field) []Field {
	if _, ok := requeuedFrom(fields); ok {
		return fields[:len(fields)-2]
	}
	return fields
}
