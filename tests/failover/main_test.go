// Package failover_test runs plain and partitioned topics on a Redis Cluster, and behind
// Sentinel, under a steady load, while nodes die, hang, are cut off, change places and start
// again. What Publish said to be there has to arrive in each group and in the fan-out, and
// everything has to go on by itself soon after the servers do.
package failover_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// What the client does a while after a change in the cluster, be it closed or not.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient).redirectOrNew.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
	)
}
