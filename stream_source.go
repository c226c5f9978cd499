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
	trail  *trail
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
	if exists && last.Less(s.trail.last) {
		if err := s.startOver(ctx, last); err != nil {
			return 0, err
		}
	}
	s.check = false
	return 0, nil
}

// startOver finds out whether the stream that does not reach as far as it did is
// another one, or the same without its last entries, as after a failover.
func (s *streamSource) startOver(ctx context.Context, last xstream.ID) error {
	same := false
	for _, id := range s.trail.upTo(last) {
		entries, err := s.stream.Range(ctx, id, 1)
		if err != nil && xstream.Classify(err) != xstream.Refused { // else it can't be known
			return err
		}
		if same = len(entries) == 1 && entries[0].ID == id; same {
			break
		}
	}
	fields := watermill.LogFields{"cursor": s.cursor.String(), "last_id": last.String()}
	if same {
		s.log.Info("The stream has lost its last entries, going on with the next one", fields)
		s.cursor = last
	} else {
		s.log.Info("Another stream has taken the topic's name, reading it from its start", fields)
		s.cursor, last = xstream.ID{}, xstream.ID{}
	}
	s.trail.cut(last)
	return nil
}

// read implements source.
func (s *streamSource) read(ctx context.Context, conn *xstream.Conn, room int, block, slack time.Duration) error {
	sent := time.Now()
	entries, err := conn.Read(ctx, s.cursor, room, block, slack+s.appetite.slack)
	defer clear(entries)
	if err != nil {
		return err
	}
	if n := len(entries); n > 0 {
		s.cursor = entries[n-1].ID
		for _, e := range entries {
			s.trail.add(e.ID)
		}
		s.ledger.admit(entries, admission{sent: sent, counted: true})
	} else {
		s.check = true
	}
	return nil
}

// failed implements source.
func (s *streamSource) failed(context.Context, error) { s.check = true }
