//go:build !clockjump

package main

// watchClock does nothing: only a worker that is built with a clock that jumps has one.
func watchClock() {}
