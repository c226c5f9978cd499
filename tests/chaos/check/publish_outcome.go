package check

import (
	"slices"
	"strings"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// publishOutcome holds what Publish says: a message that was refused is not in the
// stream, and one that was published once is there once, under the ID that the
// receipt tells. There is no excuse, but a copy of a dead letter is another entry
// with the same message.
func publishOutcome(s *story, r *Report) {
	const rule = "publish outcome"
	for _, e := range s.refused {
		if !strings.HasPrefix(e.Text, "refused") {
			continue
		}
		r.checked(rule)
		if ids := s.entries[[2]string{e.Topic, e.UUID}]; len(ids) > 0 {
			r.broken(rule, courseOf(e, ids[0]), "a message that was not published is in the stream", e)
		}
	}
	seen := map[[2]string]history.Event{}
	for _, e := range slices.Concat(s.published, s.inStream) {
		key := [2]string{e.Topic, e.UUID}
		before, again := seen[key]
		switch {
		case e.UUID == "" || e.Entry == "":
		case !again:
			r.checked(rule)
			seen[key] = e
		case before.Entry != e.Entry && !s.isCopy(e) && !s.isCopy(before):
			r.broken(rule, courseOf(e, e.Entry), "a message that was published once has two entries", before, e)
		default:
		}
	}
}

// courseOf names a message of a topic, for all audiences.
func courseOf(e history.Event, entry string) *course {
	return &course{audience: audience{topic: e.Topic}, uuid: e.UUID, entry: entry}
}
