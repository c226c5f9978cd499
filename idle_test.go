package redisstream_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// Who looks for work fails, and has to notice that it is over though nothing comes.
func TestIdleSubscriptionNoticesTheEndOfAnOutage(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	log := newLog(t)
	s, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{Client: server.Client(t), ConsumerGroup: "g", MinIdle: shortIdle}, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	subscribe(t, s, "orders")
	said := func(what string) func() bool {
		return func() bool {
			for _, line := range log.all() {
				if strings.Contains(line, what) && strings.Contains(line, "look for entries to claim") {
					return true
				}
			}
			return false
		}
	}
	eventually(t, healTime, func() bool { // it is idle by then
		stats, ok := server.Do(t, "INFO", "commandstats").(string)
		return ok && strings.Contains(stats, "cmdstat_xpending:calls=10,")
	}, "it looks for work")
	server.Pause(t)
	eventually(t, healTime, said("ERROR"), "it notices the outage")
	server.Resume(t)
	eventually(t, healTime, said("INFO Redis works again"), "it notices the end")
}
