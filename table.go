package redisstream

import (
	"iter"
	"slices"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// fewHoles is how many holes a table has before it looks whether there are too many.
const fewHoles = 64

// table finds entries by their IDs, one for each. Nearly all come in the order of the stream:
// those are in a row and know their places in it, and a hole is what they leave. That is much
// cheaper than a map, which is for the others.
type table struct {
	row   []spot // in the order of the stream
	holes int
	late  map[xstream.ID]*entry // what came behind what follows it in the stream
}

// spot is where an entry is, or was.
type spot struct {
	id    xstream.ID
	entry *entry // nil = it has left
}

// aside is the place of an entry that is not in the row.
const aside = -1

// put adds an entry whose ID the table does not have.
func (t *table) put(e *entry) {
	if n := len(t.row); n > 0 && !t.row[n-1].id.Less(e.ID) {
		if t.late == nil {
			t.late = map[xstream.ID]*entry{}
		}
		t.late[e.ID], e.place = e, aside
		return
	}
	e.place = len(t.row)
	t.row = append(t.row, spot{e.ID, e})
}

// remove takes an entry out that the table has.
func (t *table) remove(e *entry) {
	if e.place == aside {
		delete(t.late, e.ID)
		return
	}
	t.row[e.place].entry = nil
	t.holes++
	if t.holes > fewHoles && 2*t.holes > len(t.row) {
		t.close()
	}
}

// close moves the entries of the row together.
func (t *table) close() {
	row := t.row[:0]
	for _, s := range t.row {
		if s.entry != nil {
			s.entry.place = len(row)
			row = append(row, s)
		}
	}
	clear(t.row[len(row):])
	t.row, t.holes = row, 0
}

// get returns the entry with an ID, or nil.
func (t *table) get(id xstream.ID) *entry {
	if e := t.late[id]; e != nil {
		return e
	}
	i, found := slices.BinarySearchFunc(t.row, id, func(s spot, id xstream.ID) int { return s.id.Compare(id) })
	if !found {
		return nil
	}
	return t.row[i].entry
}

// len is how many entries there are.
func (t *table) len() int { return len(t.row) - t.holes + len(t.late) }

// all has the entries, in no particular order. The table must not be changed meanwhile.
func (t *table) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for _, s := range t.row {
			if s.entry != nil && !yield(s.entry) {
				return
			}
		}
		for _, e := range t.late {
			if !yield(e) {
				return
			}
		}
	}
}
