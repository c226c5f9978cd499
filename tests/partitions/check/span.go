package check

import "math"

// never is later than everything.
const never = math.MaxInt64

// span is a time with a beginning and an end, both included.
type span struct{ from, to int64 }

func (s span) overlaps(from, to int64) bool { return s.from <= to && from <= s.to }
