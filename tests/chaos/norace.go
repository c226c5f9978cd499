//go:build !race

package chaos

import "time"

// slack is by how much this machine may be late.
const slack = 150 * time.Millisecond

// raceFlags are what the worker is built with.
func raceFlags() []string { return nil }
