package failover_test

import (
	"regexp"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// asked are the commands that read, of those that a server has executed.
var asked = regexp.MustCompile(`cmdstat_(xread|xrange|xrevrange|xlen|xpending|xinfo[|a-z]*|get|hget|hmget|hgetall|hlen|hkeys|zrange[a-z]*|zscore|zcard|evalsha_ro|eval_ro|exists|type):`)

// A replica may lag behind. Whatever else a client is used for, nothing is read from one.
func TestNothingIsReadFromReplicas(t *testing.T) {
	t.Parallel()
	readOnly := func(o *rueidis.ClientOption) {
		o.SendToReplicas = func(cmd rueidis.Completed) bool { return cmd.IsReadOnly() }
	}
	run := func(t *testing.T, s *stage, replicas ...*redistest.Server) {
		t.Helper()
		play(t, s, topics())
		s.judge(t)
		stats := func() (reads []string) {
			for _, replica := range replicas {
				info, _ := replica.Do(t, "INFO", "commandstats").(string)
				reads = append(reads, asked.FindAllString(info, -1)...)
			}
			return reads
		}
		require.Empty(t, stats())
		client := s.client(t)
		for _, key := range []string{"a", "b", "c"} {
			_ = client.Do(t.Context(), client.B().Exists().Key(key).Build()) //nolint:forbidigo // it is about the client
		}
		require.NotEmpty(t, stats(), "the client does send others there")
	}
	t.Run("Sentinel", func(t *testing.T) {
		t.Parallel()
		s, c := setSentinel(t, redisstream.Durability{})
		s.option = readOnly
		run(t, s, c.Replica(t))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		c := redistest.StartCluster(t, 3)
		var replicas []*redistest.Server
		for _, master := range c.Masters(t) {
			replicas = append(replicas, c.ReplicaOf(t, master))
		}
		run(t, &stage{servers: c, node: c.NodeOf, option: readOnly}, replicas...)
	})
}
