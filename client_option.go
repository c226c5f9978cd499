package redisstream

import (
	"net"
	"time"

	"github.com/redis/rueidis"
)

// ClientOption returns options for [rueidis.NewClient] with which Publishers and Subscribers
// notice within seconds that a server is frozen or cut off. The addresses are those of
// rueidis.ClientOption.InitAddress: of a server, of some nodes of a cluster, or of sentinels.
// Credentials, TLS, the sentinels' MasterSet and whatever else is needed are added to the result.
// What differs from rueidis' defaults, and why:
//
//   - ConnWriteTimeout: 2 s instead of 10 s. For so long Publish waits for a server that does
//     not answer; a replica may have taken its place meanwhile. An answer that takes longer
//     is lost, so it should be longer where the line, or the server's disk, may be very slow.
//   - Dialer.Timeout: 1 s instead of 5 s. A frozen server still accepts connections, and then
//     says nothing; rueidis gives up after twice that time.
//   - Dialer.KeepAliveConfig: an idle connection whose other end is gone is noticed after 11 s.
//     With Dialer.KeepAlive alone it takes more than two minutes, as Go probes every 15 s.
//     Dialer.KeepAlive remains 1 s: so often rueidis looks at a connection with a PING.
//   - Sentinel.TopologyRefreshInterval: a minute instead of never. A client that misses the news of
//     a failover would stay with the old master for ever. More often is not better: to look
//     at a frozen master holds up the news.
//   - ClusterOption.MaxMovedRedirections: 16 instead of no limit. Nodes that send a command to
//     each other, because they don't agree yet, are asked again after a pause.
//   - DisableCache: nothing is cached on the client's side, and some servers refuse to.
func ClientOption(addresses ...string) rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress: addresses,
		Dialer: net.Dialer{
			Timeout:         time.Second,
			KeepAlive:       time.Second,
			KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3},
		},
		ConnWriteTimeout: 2 * time.Second,
		Sentinel:         rueidis.SentinelOption{TopologyRefreshInterval: time.Minute},
		ClusterOption:    rueidis.ClusterOption{MaxMovedRedirections: 16},
		DisableCache:     true,
	}
}
