package redistest

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

func TestServerSpeaksTLSOnly(t *testing.T) {
	t.Parallel()
	s := Start(t, TLS(), AppendOnly("always"))
	require.Equal(t, "rediss://"+s.Addr(), s.URL())
	require.Error(t, (&Server{port: s.Port()}).Ping(briefly(t, 5*time.Second)), "a plain connection")
	s.Do(t, "SET", "k", "v")
	s.Restart(t)
	client := s.Client(t, withoutCertificate)
	value, err := client.Do(t.Context(), client.B().Get().Key("k").Build()).ToString() //nolint:forbidigo // see ping
	require.NoError(t, err)
	require.Equal(t, "v", value)
	runCommand(t, s.RestartCommand(t))
	eventually(t, "the client is back", func() bool { return ping(t, client) == nil })
	require.Equal(t, "v", s.Do(t, "GET", "k"))
}

func TestServerAsksForACertificate(t *testing.T) {
	t.Parallel()
	s := Start(t, MutualTLS())
	require.NoError(t, ping(t, s.Client(t)))
	option := rueidis.ClientOption{InitAddress: []string{s.Addr()}, TLSConfig: s.tlsConfig(), DisableCache: true}
	withoutCertificate(&option)
	client, err := rueidis.NewClient(option)
	if err == nil {
		client.Close()
	}
	require.Error(t, err)
}

func TestClusterSpeaksTLS(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, TLS(), Partitionable())
	client := c.Client(t, withoutCertificate, impatient)
	setThrough(t, client, "1")
	old := c.NodeOf(t, "k")
	to := c.Masters(t)[0]
	if to == old {
		to = c.Masters(t)[1]
	}
	c.MoveSlot(t, "k", to)
	setThrough(t, client, "2")
	require.Equal(t, "2", to.Do(t, "GET", "k"))
	successor := c.Depose(t, to, func(master *Server) { c.Isolate(t, master) })
	setThrough(t, client, "3")
	require.Equal(t, "3", successor.Do(t, "GET", "k"))
	c.Rejoin(t, to)
}

func TestSentinelSpeaksTLS(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, MutualTLS(), Partitionable())
	client := s.Client(t)
	setThrough(t, client, "1")
	require.Equal(t, "1", s.Failover(t).Do(t, "GET", "k"))
	setThrough(t, client, "2")
	require.Equal(t, "2", s.Master(t).Do(t, "GET", "k"))
}

func withoutCertificate(o *rueidis.ClientOption) {
	config := o.TLSConfig.Clone()
	config.Certificates = []tls.Certificate{}
	o.TLSConfig = config
}
