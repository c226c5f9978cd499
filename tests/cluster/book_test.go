package cluster_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// handling is one time that a handler had a message.
type handling struct {
	id    string // of the entry
	epoch int64
	at    time.Time
	acked bool // the handler said so
}

// book is what the handlers of all members write down, by partition.
type book struct {
	gate sync.RWMutex // handlers wait while somebody holds it

	mu    sync.Mutex // protects the following fields
	pages [partitions][]*handling
	busy  [partitions]map[int64]int // handlers at work, by epoch
	bad   []string
}

func (b *book) begin(msg *message.Message) (p int, h *handling) {
	p, _ = redisstream.PartitionFromContext(msg.Context())
	h = &handling{at: time.Now()}
	h.id, _ = redisstream.EntryIDFromContext(msg.Context())
	h.epoch, _ = redisstream.FencingTokenFromContext(msg.Context())
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pages[p] = append(b.pages[p], h)
	if b.busy[p] == nil {
		b.busy[p] = map[int64]int{}
	}
	if b.busy[p][h.epoch]++; b.busy[p][h.epoch] > 1 {
		b.bad = append(b.bad, fmt.Sprintf("two messages of partition %d at once", p))
	}
	return p, h
}

func (b *book) end(p int, h *handling, msg *message.Message) {
	b.mu.Lock()
	b.busy[p][h.epoch]--
	h.acked = msg.Context().Err() == nil
	b.mu.Unlock()
	msg.Ack()
}

// hold has handlers wait.
func (b *book) hold(tb testing.TB) (resume func()) {
	tb.Helper()
	b.gate.Lock()
	resume = sync.OnceFunc(b.gate.Unlock)
	tb.Cleanup(resume)
	return resume
}

// summary is what a partition's page says.
type summary struct {
	handled, repeated, overtaken, lost int
}

// judge compares a page with the partition as it is at the end. Each entry is there, and
// first comes only when all before it have come. What comes again is followed by what is
// behind it: nobody may go on with something newer.
func (b *book) judge(tb testing.TB, p int, ids []string) (s summary) {
	tb.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Empty(tb, b.bad)
	place := make(map[string]int, len(ids))
	for i, id := range ids {
		place[id] = i
	}
	last, epoch := -1, int64(0)
	for _, h := range b.pages[p] {
		at, ok := place[h.id]
		switch {
		case !ok: // a failover has lost it
			s.lost++
			continue
		case h.epoch < epoch: // whoever was paused for a moment; its ack has no effect
			s.overtaken++
			continue
		case at <= last:
			s.repeated++
		case at > last+1:
			require.Failf(tb, "a gap", "partition %d: %s comes after %s, with %d between", p, h.id, ids[max(last, 0)], at-last-1)
		}
		last, epoch = at, h.epoch
		s.handled++
	}
	require.Equal(tb, len(ids)-1, last, "partition %d ends with its last entry", p)
	return s
}

// pause is the longest time since some moment without anything new in a partition, and when
// it ended.
func (b *book) pause(p int, since time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	longest, seen, last := time.Duration(0), map[string]bool{}, since
	for _, h := range b.pages[p] {
		if seen[h.id] {
			continue
		}
		seen[h.id] = true
		if h.at.After(since) {
			longest, last = max(longest, h.at.Sub(last)), h.at
		}
	}
	return max(longest, time.Since(last))
}

// epochs counts the epochs since some moment.
func (b *book) epochs(p int, since time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []int64
	for _, h := range b.pages[p] {
		if h.at.After(since) && !slices.Contains(all, h.epoch) {
			all = append(all, h.epoch)
		}
	}
	return len(all)
}
