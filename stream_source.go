package redisstream

import (
	"context"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// streamSource reads a whole stream, from a position that is always an ID: a "$"
// would be resolved anew by each command, and skip what was added in between.
type streamSource struct {
	ledger *ledger
	history
	// appetite is the reader's.
	appetite *appetite
	check    bool          // the stream may have been replaced by another one
	conn     *xstream.Conn // of the last read
}

// claim implements source: without a group there is nothing to claim. It looks
// whether the stream under the key is still the one that the cursor belongs to.
func (s *streamSource) claim(ctx context.Context, _ int) (int, error) {
	if !s.check {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, blockTime+s.appetite.slack)
	defer cancel()
	last, exists, err := s.stream.LastID(ctx)
	switch {
	case err != nil:
	case exists:
		err = s.review(ctx, last)
	case s.trail.last != xstream.ID{}:
		s.startAnew()
	}
	if err != nil {
		return 0, err
	}
	s.check, s.broken = false, false
	return 0, nil
}

// read implements source.
func (s *streamSource) read(ctx context.Context, conn *xstream.Conn, room int, block, slack time.Duration) (int, error) {
	if conn != s.conn { // it may lead to another server than the last look
		s.conn, s.check, s.broken = conn, true, true
		return 0, nil
	}
	sent := time.Now()
	entries, err := conn.Read(ctx, s.cursor, room, block, slack+s.appetite.slack)
	defer clear(entries)
	if err != nil {
		return 0, err
	}
	if len(entries) == 0 {
		s.check = true
		return 0, nil
	}
	s.ledger.admit(s.advance(entries), admission{sent: sent, counted: true})
	return len(entries), nil
}

// failed implements source.
func (s *streamSource) failed(context.Context, error) { s.check, s.broken = true, true }
