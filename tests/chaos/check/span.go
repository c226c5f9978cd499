package check

import (
	"cmp"
	"math"
	"slices"
)

// never is later than everything.
const never = math.MaxInt64

// span is a time with a beginning and an end, both included.
type span struct{ from, to int64 }

func (s span) overlaps(from, to int64) bool { return s.from <= to && from <= s.to }

// trouble is a time in which a process could not do its work.
type trouble struct {
	span
	own bool // it was not the server alone
}

// joined merges troubles between which there was not enough time to recover.
func joined(all []trouble, recovery int64) []trouble {
	slices.SortFunc(all, func(a, b trouble) int { return cmp.Compare(a.from, b.from) })
	var out []trouble
	for _, t := range all {
		if n := len(out); n > 0 && t.from-recovery <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, t.to)
			out[n-1].own = out[n-1].own || t.own
			continue
		}
		out = append(out, t)
	}
	return out
}
