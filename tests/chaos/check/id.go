package check

import (
	"strconv"
	"strings"
)

// less compares two entry IDs. What is no ID is less than all.
func less(a, b string) bool {
	aTime, aSequence := parts(a)
	bTime, bSequence := parts(b)
	return aTime < bTime || aTime == bTime && aSequence < bSequence
}

func parts(id string) (milliseconds, sequence int64) {
	first, second, _ := strings.Cut(id, "-")
	milliseconds, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return -1, 0
	}
	sequence, err = strconv.ParseInt(second, 10, 64)
	if err != nil {
		return milliseconds, 0
	}
	return milliseconds, sequence
}
