package redisstream

import (
	"math/bits"
	"slices"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// trail remembers some of the entries that a stream has had: the latest of every
// second one, of every fourth, and so on. So, however many of the last ones are
// lost, it knows one from shortly before them.
type trail struct {
	first xstream.ID // the oldest one when we came; zero = none
	last  xstream.ID // the greatest one
	steps [48]xstream.ID
	n     uint64
}

// add notes the next entry.
func (t *trail) add(id xstream.ID) {
	t.n++
	t.steps[min(bits.TrailingZeros64(t.n), len(t.steps)-1)] = id
	t.last = id
}

// upTo lists what is known of the stream up to an ID, the latest first.
func (t *trail) upTo(last xstream.ID) []xstream.ID {
	var known []xstream.ID
	for _, id := range append(slices.Clone(t.steps[:]), t.first, t.last) {
		if id != (xstream.ID{}) && !last.Less(id) && !slices.Contains(known, id) {
			known = append(known, id)
		}
	}
	slices.SortFunc(known, func(a, b xstream.ID) int { return b.Compare(a) })
	return known
}

// cut forgets what is behind an ID.
func (t *trail) cut(last xstream.ID) {
	for i, id := range t.steps {
		if last.Less(id) {
			t.steps[i] = last
		}
	}
	if last.Less(t.first) {
		t.first = last
	}
	t.last = last
}
