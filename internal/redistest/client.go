package redistest

import (
	"testing"

	"github.com/redis/rueidis"
)

// Client returns a client of the server that is closed at the end of the test. Client-side
// caching is off, because not every server has it, and the topology is not asked for.
func (s *Server) Client(tb testing.TB, mutate ...func(*rueidis.ClientOption)) rueidis.Client {
	tb.Helper()
	option := rueidis.ClientOption{
		InitAddress:       []string{s.Addr()},
		DisableCache:      true,
		ForceSingleClient: true,
		TLSConfig:         s.tlsConfig(),
	}
	for _, f := range mutate {
		f(&option)
	}
	client, err := rueidis.NewClient(option)
	check(tb, err)
	tb.Cleanup(client.Close)
	return client
}
