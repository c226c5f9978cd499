package redisstream

import "github.com/watermill-rueidis/redisstream/internal/xstream"

// recentMost is how many entries recent remembers.
const recentMost = 512

// recent remembers the last entries that were read from a stream, to find out what a stream
// has that was not among them. A master that takes over without the last entries of the one
// before goes on with others, which may have lower IDs, or the same.
type recent struct {
	ring []seen
	next int // where the next one goes, once the ring is full
}

// seen is an entry that was read.
type seen struct {
	id    xstream.ID
	print uint64
}

func (r *recent) add(e *xstream.Entry) {
	s := seen{e.ID, e.Fingerprint()}
	if len(r.ring) < recentMost {
		r.ring = append(r.ring, s)
		return
	}
	r.ring[r.next] = s
	r.next = (r.next + 1) % recentMost
}

// last returns the last n of them, or fewer, in the order of the stream.
func (r *recent) last(n int) []seen {
	n = min(n, len(r.ring))
	list := make([]seen, n)
	for i := range n {
		list[i] = r.ring[(r.next+len(r.ring)-n+i)%len(r.ring)]
	}
	return list
}

// isFull reports whether there were more than it remembers.
func (r *recent) isFull() bool { return len(r.ring) == recentMost }
