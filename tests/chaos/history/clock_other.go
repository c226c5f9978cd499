//go:build !linux

package history

import "time"

// Now is the time for Event.At. Other systems have no clock of that kind under one
// number, and the wall clock will do where nobody sets it.
func Now() int64 { return time.Now().UnixNano() }
