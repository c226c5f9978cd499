package redisstream

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// streamSource reads a whole stream, from a position that is always an ID: a "$"
// would be resolved anew by each command, and skip what was added in between.
type streamSource struct {
	stream xstream.Stream
	ledger *ledger
	log    logger
	cursor xstream.ID
	// appetite is the reader's.
	appetite *appetite
	check    bool // the stream may have been replaced by another one
}

// claim implements source: without a group there is nothing to claim. It looks
// whether the stream under the key is still the one that the cursor belongs to.
func (s *streamSource) claim(ctx context.Context, _ int) (int, error) {
	if !s.check {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, blockTime)
	defer cancel()
	last, exists, err := s.stream.LastID(ctx)
	if err != nil {
		return 0, err
	}
	s.check = false
	if exists && last.Less(s.cursor) {
		s.log.Info("Another stream has taken the topic's name, reading it from its start", watermill.LogFields{
			"cursor": s.cursor.String(), "last_id": last.String(),
		})
		s.cursor = xstream.ID{}
	}
	return 0, nil
}

// read implements source.
func (s *streamSource) read(ctx context.Context, conn *xstream.Conn, room int, block time.Duration) error {
	sent := time.Now()
	entries, err := conn.Read(ctx, s.cursor, room, block, s.appetite.slack)
	if err != nil {
		return err
	}
	if n := len(entries); n > 0 {
		s.cursor = entries[n-1].ID
		s.ledger.admit(entries, admission{sent: sent, counted: true})
	} else {
		s.check = true
	}
	return nil
}

// failed implements source.
func (s *streamSource) failed(context.Context, error) { s.check = true }
