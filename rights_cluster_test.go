package redisstream_test

import (
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// usersOfACluster makes a user of each role on all nodes.
func usersOfACluster(t *testing.T, cluster *redistest.Cluster) (nodes []*redistest.Server) {
	t.Helper()
	for _, master := range cluster.Masters(t) {
		nodes = append(nodes, master, cluster.ReplicaOf(t, master))
	}
	for _, role := range roles() {
		rules := append(rightsOf(t, role)("orders"), redistest.RightsOnly(t, "cluster", "orders", "billing")...)
		for _, node := range nodes {
			node.Do(t, append([]string{"ACL", "SETUSER", role, "on", ">secret"}, rules...)...)
		}
	}
	return nodes
}

func asUser(role string) func(o *rueidis.ClientOption) {
	return func(o *rueidis.ClientOption) { o.Username, o.Password = role, "secret" }
}

// A slot moves meanwhile.
func TestRightsAreEnoughOnACluster(t *testing.T) {
	t.Parallel()
	const n = 4
	cluster := redistest.StartCluster(t, 2)
	nodes := usersOfACluster(t, cluster)
	config := partitionedConfig(n)
	config.Client, config.ConsumerGroup = cluster.Client(t, asUser("group-consumer")), "billing"
	shares := subscribe(t, newSubscriber(t, nil, config), "orders")
	config.Client, config.ConsumerGroup = cluster.Client(t, asUser("fanout-consumer")), ""
	follows := subscribe(t, newSubscriber(t, nil, config), "orders")
	p := publisherWith(t, redisstream.PublisherConfig{Client: cluster.Client(t, asUser("publisher")), Partitions: divided(n)})

	uuids := publish(t, p, "orders", 5*n)
	from := cluster.NodeOf(t, "orders:1")
	to := nodes[0]
	if from == to {
		to = nodes[2]
	}
	cluster.MoveSlot(t, "orders:1", to, func() {
		for range n { // single ones, one for each partition
			uuids = append(uuids, publish(t, p, "orders", 1)...)
		}
	})
	uuids = append(uuids, publish(t, p, "orders", 5*n)...)
	require.ElementsMatch(t, uuids, receiveAndAck(t, shares, len(uuids), 2*healTime))
	require.ElementsMatch(t, uuids, receiveAndAck(t, follows, len(uuids), 2*healTime))
	for _, role := range roles() {
		require.Empty(t, (&scene{servers: nodes, user: role}).denied(t))
	}
}

func TestClusterLooksLikeAServerWithoutTheRight(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 1)
	for _, node := range usersOfACluster(t, cluster) {
		node.Do(t, "ACL", "SETUSER", "publisher", "-cluster|slots", "-cluster|shards")
	}
	require.Equal(t, rueidis.ClientModeStandalone, cluster.Client(t, asUser("publisher")).Mode())
}
