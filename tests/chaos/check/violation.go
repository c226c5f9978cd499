package check

import (
	"fmt"
	"strings"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// Violation is a broken promise.
type Violation struct {
	Rule  string // one of the rules' names, which do not change
	Topic string
	Group string // "" = fan-out
	UUID  string
	Entry string

	Text   string
	Events []history.Event // that show it
}

func (v Violation) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s (topic %q, group %q, message %q, entry %s)", v.Rule, v.Text, v.Topic, v.Group, v.UUID, v.Entry)
	for _, e := range v.Events {
		fmt.Fprintf(&s, "\n\t%d.%06d %s %s %s %s deliveries=%d %s %s", e.At/1e9, e.At%1e9/1e3, e.Kind, e.Process, e.UUID, e.Entry, e.Deliveries, e.Target, e.Text)
	}
	return s.String()
}
