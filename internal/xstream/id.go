package xstream

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ID is the identifier of a stream entry: a time in milliseconds and a
// sequence number within it.
type ID struct {
	Ms  uint64
	Seq uint64
}

// MaxID is the greatest ID a stream can hold.
var MaxID = ID{Ms: math.MaxUint64, Seq: math.MaxUint64} //nolint:gochecknoglobals // a constant that Go can't express as one

// ParseID reads "<ms>-<seq>" or "<ms>", which means sequence 0.
func ParseID(s string) (ID, error) {
	ms, seq, hasSeq := strings.Cut(s, "-")
	var id ID
	var err error
	if id.Ms, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return ID{}, fmt.Errorf("entry ID %q: %w", s, err)
	}
	if !hasSeq {
		return id, nil
	}
	if id.Seq, err = strconv.ParseUint(seq, 10, 64); err != nil {
		return ID{}, fmt.Errorf("entry ID %q: %w", s, err)
	}
	return id, nil
}

// IDBefore is the greatest ID that an entry older than t can have, so that
// reading after it starts with the entries added at t.
func IDBefore(t time.Time) ID {
	switch {
	case t.After(time.UnixMilli(math.MaxInt64)):
		return ID{Ms: math.MaxInt64} // UnixMilli would overflow
	case t.After(time.UnixMilli(0)):
		return ID{Ms: uint64(t.UnixMilli())}.Prev()
	default:
		return ID{}
	}
}

// String is the form Redis uses.
func (id ID) String() string {
	buf := make([]byte, 0, 24)
	buf = strconv.AppendUint(buf, id.Ms, 10)
	buf = append(buf, '-')
	return string(strconv.AppendUint(buf, id.Seq, 10))
}

// Compare orders IDs as the stream does.
func (id ID) Compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Ms, other.Ms), cmp.Compare(id.Seq, other.Seq))
}

// Less reports whether id comes before other in the stream.
func (id ID) Less(other ID) bool { return id.Compare(other) < 0 }

// IsZero reports whether id is 0-0, which no entry can have.
func (id ID) IsZero() bool { return id == ID{} }

// Next is the smallest ID after id. Pages of XPENDING go on from it, because
// not every server knows the exclusive form "(id".
func (id ID) Next() ID {
	switch {
	case id.Seq < math.MaxUint64:
		return ID{Ms: id.Ms, Seq: id.Seq + 1}
	case id.Ms < math.MaxUint64:
		return ID{Ms: id.Ms + 1}
	default:
		return id
	}
}

// Prev is the greatest ID before id; 0-0 stays.
func (id ID) Prev() ID {
	switch {
	case id.Seq > 0:
		return ID{Ms: id.Ms, Seq: id.Seq - 1}
	case id.Ms > 0:
		return ID{Ms: id.Ms - 1, Seq: math.MaxUint64}
	default:
		return id
	}
}

// Time is when the entry was added, by the server's clock, unless its
// publisher chose the ID.
func (id ID) Time() time.Time { return time.UnixMilli(int64(min(id.Ms, math.MaxInt64))) }
