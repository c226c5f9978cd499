package chaos

import (
	"strings"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// flush empties the server.
type flush struct{}

func (flush) begin(s *stage) error {
	s.note(history.Event{Kind: history.Flushed, Topic: s.topic})
	return s.admin("FLUSHALL")
}

func (flush) end(*stage) error { return nil }

// destroyGroup removes a group with all that is pending in it.
type destroyGroup struct{ Group string }

func (f destroyGroup) begin(s *stage) error {
	s.note(history.Event{Kind: history.GroupDestroyed, Topic: s.topic, Group: f.Group})
	return s.admin("XGROUP", "DESTROY", s.topic, f.Group)
}

func (destroyGroup) end(*stage) error { return nil }

// trim removes the older half of what is pending in a group, and all that is before it. It says
// so before it does: entries are only added behind those that are listed.
type trim struct{ Group string }

func (f trim) begin(s *stage) error {
	pending, err := s.pending(f.Group)
	if err != nil && strings.Contains(err.Error(), "NOGROUP") {
		return nil // it was destroyed, and nobody has noticed yet
	}
	if err != nil || len(pending) == 0 {
		return err
	}
	last := pending[len(pending)/2].id
	entries, err := s.entries(s.topic, last)
	if err != nil {
		return err
	}
	gone := history.Event{Kind: history.Trimmed, Topic: s.topic}
	for _, e := range entries {
		if e.id != last {
			gone.Entries = append(gone.Entries, e.id)
		}
	}
	s.note(gone)
	return s.admin("XTRIM", s.topic, "MINID", "=", last)
}

func (trim) end(*stage) error { return nil }
