package redisstream

import (
	"slices"
	"sync"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// unheld is what a member remembers of entries that are pending for no live member:
// released, delayed, or left by the dead. If the group is gone, nobody else knows
// of them. It is as old as the last sweep, and corrected by what we do ourselves.
type unheld struct {
	mu     sync.Mutex      // protects the following fields
	at     time.Time       // of the last sweep
	seen   []xstream.Count // in the last sweep
	walked []xstream.Count // delayed ones, seen some sweeps ago
	// given back, mostly by us, since the last sweep, and since the one before: a sweep
	// may have looked just before it was told.
	given, givenBefore []xstream.Count
	taken              map[string]bool // IDs that are ours now
}

// saw replaces what is known with what a sweep saw, and what earlier ones did of
// entries that it did not look at.
func (u *unheld) saw(seen, walked []xstream.Count) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.at, u.seen, u.walked = time.Now(), seen, walked
	u.given, u.givenBefore = nil, u.given
	if len(u.walked)+len(u.givenBefore) == 0 {
		u.taken = nil
		return
	}
	for _, c := range seen {
		delete(u.taken, c.ID)
	}
}

// released adds entries to what is known.
func (u *unheld) released(entries []xstream.Count) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range entries {
		delete(u.taken, c.ID)
	}
	u.given = append(u.given, entries...)
}

func (u *unheld) took(ids []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.seen)+len(u.walked)+len(u.given)+len(u.givenBefore) == 0 {
		return
	}
	if u.taken == nil || len(u.taken) > maxKnownDelayed {
		u.taken = make(map[string]bool, len(ids))
	}
	for _, id := range ids {
		u.taken[id] = true
	}
}

// gave reports whether we have given back anything that a sweep may not have seen.
func (u *unheld) gave() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.given)+len(u.givenBefore) > 0
}

// stale reports whether the last sweep was too long ago: the process was paused, or
// cut off.
func (u *unheld) stale() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return time.Since(u.at) > 2*sweepMost
}

// list returns what is known. An entry may be there twice.
func (u *unheld) list() []xstream.Count {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.DeleteFunc(slices.Concat(u.seen, u.walked, u.given, u.givenBefore), func(c xstream.Count) bool { return u.taken[c.ID] })
}
