package check

import (
	"cmp"
	"slices"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// publishOrder holds that what a publisher has published is in the stream in the
// order of its calls, and of the messages in a call. A flush starts another stream.
func publishOrder(s *story, r *Report) {
	byPublisher := map[[2]string][]history.Event{}
	for _, e := range s.published {
		if _, ok := s.publishing[e.UUID]; ok && len(s.entries[[2]string{e.Topic, e.UUID}]) == 1 {
			key := [2]string{e.Process, e.Topic}
			byPublisher[key] = append(byPublisher[key], e)
		}
	}
	for _, published := range byPublisher {
		slices.SortStableFunc(published, func(a, b history.Event) int {
			return cmp.Compare(s.publishing[a.UUID].At, s.publishing[b.UUID].At)
		})
		for i := 1; i < len(published); i++ {
			r.checked("publish order")
			before, e := published[i-1], published[i]
			if less(s.entryOf(before), s.entryOf(e)) || s.flushed(s.publishing[before.UUID].At-s.o.recovery, e.At) {
				continue
			}
			c := &course{audience: audience{topic: e.Topic}, uuid: e.UUID, entry: s.entryOf(e)}
			r.broken("publish order", c, "stands before what was published earlier", before, e)
		}
	}
}

func (s *story) entryOf(e history.Event) string { return s.entries[[2]string{e.Topic, e.UUID}][0] }
