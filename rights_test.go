package redisstream_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// rightsInREADME are the rights of a user of a topic: those of everybody, and for
// partitions.
func rightsInREADME(t *testing.T, topic string) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, text2, found := strings.Cut(string(text), "for the ACL:\n")
	require.True(t, found)
	blocks := regexp.MustCompile("(?s)```\n(.*?)```").FindAllStringSubmatch(text2, 2)
	require.Len(t, blocks, 2)
	return strings.Fields(strings.ReplaceAll(blocks[0][1]+blocks[1][1], "orders", topic))
}

func TestRightsInREADMEAreEnoughForPartitions(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"exclusive": 1, "divided": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, topic := redistest.Start(t), strings.ReplaceAll(newTopic(t), "/", "-")
			server.Do(t, append([]string{"ACL", "SETUSER", "user", "on", ">secret"}, rightsInREADME(t, topic)...)...)
			asUser := func(o *rueidis.ClientOption) { o.Username, o.Password = "user", "secret" }
			config := partitionedConfig(n)
			config.LeaseTTL, config.Client = time.Second, server.Client(t, asUser)
			p := publisherWith(t, redisstream.PublisherConfig{Client: config.Client, Partitions: config.Partitions})
			first := newSubscriber(t, server, config)
			out := subscribe(t, first, topic)
			uuids := publish(t, p, topic, 20)
			require.ElementsMatch(t, uuids, receiveAndAck(t, out, 20, healTime))
			publish(t, p, topic, 1)
			bad := receive(t, out, healTime)
			_ = redisstream.Reject(bad.Context(), errBoom)
			require.True(t, bad.Nack())
			second := subscribe(t, newSubscriber(t, server, config), topic)
			require.NoError(t, first.Close())
			uuids = publish(t, p, topic, 20)
			require.ElementsMatch(t, uuids, receiveAndAck(t, second, 20, healTime))
			denied, ok := server.Do(t, "ACL", "LOG").([]any)
			require.True(t, ok)
			for _, entry := range denied { // rueidis tells newer servers its name, and goes on without
				require.Contains(t, fmt.Sprint(entry), "client|setinfo")
			}
		})
	}
}
