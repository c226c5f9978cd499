package xstream

import "hash/maphash"

// printed is how much of a value counts for a fingerprint.
const printed = 64

var seed = maphash.MakeSeed() //nolint:gochecknoglobals // the same for all entries of a process

// Fingerprint tells entries apart that have the same ID, as two masters may give out the same
// one when they don't know of each other for a while. It looks at the length of each name and
// value, and at their beginnings. It is never 0, but for an entry of which only the ID is known.
func (e *Entry) Fingerprint() uint64 {
	if e.print != 0 || len(e.values) == 0 {
		return e.print
	}
	_, sum := e.examine()
	return sum
}

// Seal has the entry remember its fingerprint and its size when its fields are gone, or somebody
// else's to change. It returns the number of bytes in names and values, and looks at them once.
func (e *Entry) Seal() (size int) {
	if e.print == 0 && len(e.values) > 0 {
		e.size, e.print = e.examine()
	}
	return e.size
}

// examine looks at the names and values once: nearly all of that is done for each entry.
func (e *Entry) examine() (size int, sum uint64) {
	sum = uint64(len(e.values))
	for i := range e.values {
		s, _ := e.values[i].ToString()
		size += len(s)
		sum = sum*31 + uint64(len(s))
		switch {
		case s == "":
		case i%2 == 0: // names are mostly the same
			sum += uint64(s[0])
		default:
			sum += maphash.String(seed, s[:min(len(s), printed)])
		}
	}
	return size, max(sum, 1)
}

// IsOther reports whether an entry that has kept its fingerprint and one with the same ID are
// known to be different ones. It does not look at the fields of the first.
func (e *Entry) IsOther(o *Entry) bool {
	other := o.Fingerprint()
	return e.print != 0 && other != 0 && e.print != other
}
