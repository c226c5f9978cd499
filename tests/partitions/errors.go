package partitions

import "errors"

var (
	errReply = errors.New("unexpected reply")
	errStuck = errors.New("round does not get on")
)
