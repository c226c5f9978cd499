package check

import (
	"fmt"
	"strings"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// published holds that the streams have what Publish said, and the numbers of each key in order,
// each once: the other rules build on it.
func published(s *story, r *Report) {
	count := map[string]int{}
	for key, lane := range s.lanes {
		for i, x := range lane {
			r.checked("published")
			count[x.uuid]++
			if i > 0 && (x.number <= lane[i-1].number || x.partition != lane[i-1].partition) {
				r.broken("published", fmt.Sprintf("key %s has %d behind %d in its stream", key, x.number, lane[i-1].number))
			}
		}
	}
	for _, e := range s.events {
		switch {
		case e.Kind == history.Published && s.entries[place{e.Partition, e.Entry}] == nil:
			r.broken("published", "what was published is not in the stream", e)
		case e.Kind == history.PublishFailed && strings.HasPrefix(e.Text, "refused") && count[e.UUID] > 0:
			r.broken("published", "what was refused is in the stream", e)
		}
	}
	for uuid, n := range count {
		if n > 1 {
			r.broken("published", fmt.Sprintf("%s is in the stream %d times", uuid, n))
		}
	}
}
