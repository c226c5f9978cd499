//go:build !race

package partitions

// raceFlags are what the worker is built with.
func raceFlags() []string { return nil }
