package redistest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestRightsAreThoseOfTheTopic(t *testing.T) {
	t.Parallel()
	rights := redistest.Rights(t, "fanout-consumer", "topic-*")
	require.Contains(t, rights, "%R~topic-*")
	require.Contains(t, rights, "%R~topic-*:[0-9]*")
	require.Contains(t, rights, "(+hget %R~{topic-*}:partitions)", "a selector is one rule")
	require.Contains(t, rights, "+ping", "what everybody needs")
	require.NotContains(t, rights, "+xadd")
	require.Contains(t, redistest.Rights(t, "publisher", "t"), "+xadd")
	require.Contains(t, redistest.Rights(t, "group-consumer", "t"), "~{t}:mark:*")
	require.Contains(t, redistest.RightsInGroup(t, "group-consumer", "t", "g"), "~{t}:mark:g")
	require.Equal(t, []string{"+cluster|slots", "+cluster|shards", "+asking"}, redistest.RightsOnly(t, "cluster", "t", "g"))
}

func TestServerTakesTheRights(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for _, role := range []string{"publisher", "first-user", "group-consumer", "fanout-consumer", "administrator", "cluster"} {
		server.Do(t, append([]string{"ACL", "SETUSER", role, "on", ">secret"}, redistest.Rights(t, role, "topic-*")...)...)
	}
}
