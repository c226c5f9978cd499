//go:build clockjump

package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// watchClock sets the wall clock of this process an hour forward at each SIGUSR1, and an hour
// back at each SIGUSR2. Package time is one that was changed for it.
func watchClock() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go func() { // lives as long as the process
		for s := range signals {
			if s == syscall.SIGUSR1 {
				time.JumpWallClock(time.Hour)
			} else {
				time.JumpWallClock(-time.Hour)
			}
		}
	}()
}
