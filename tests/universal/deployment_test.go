package universal_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// deploymentVariable names the environment variable that chooses what the tests run on.
const deploymentVariable = "REDISSTREAM_TEST_DEPLOYMENT"

// servers make clients: a server, a cluster, or what sentinels watch.
type servers interface {
	Client(tb testing.TB, mutate ...func(*rueidis.ClientOption)) rueidis.Client
}

// site is what one test runs on.
type site struct {
	servers servers
	options []func(*rueidis.ClientOption)
	users   bool                                                // each role has its own
	node    func(tb testing.TB, topic string) *redistest.Server // the one that serves a topic
}

// clients are those of a publisher and of a subscriber with a role.
func (s site) clients(t *testing.T, role string) (publisher, subscriber rueidis.Client) {
	t.Helper()
	options := append([]func(*rueidis.ClientOption){smallBuffers}, s.options...)
	if s.users {
		return s.servers.Client(t, append(options, redistest.As(publisherRole, password))...),
			s.servers.Client(t, append(options, redistest.As(role, password))...)
	}
	both := s.servers.Client(t, options...)
	return both, both
}

// deploy returns what starts a site for a test. What is large is shared by all tests below t.
func deploy(t *testing.T, opts ...redistest.Option) func(*testing.T) site {
	t.Helper()
	switch name := os.Getenv(deploymentVariable); name {
	case "", "standalone":
		return alone(opts)
	case "tls":
		return alone(append(opts, redistest.TLS()))
	case "resp2":
		return alone(opts, resp2)
	case "acl":
		return withUsers(opts)
	case "sentinel":
		s := redistest.StartSentinel(t, opts...)
		node := func(tb testing.TB, _ string) *redistest.Server { tb.Helper(); return s.Master(tb) }
		return func(*testing.T) site { return site{servers: s, node: node} }
	case "cluster":
		c := redistest.StartCluster(t, 3, opts...)
		return func(*testing.T) site { return site{servers: c, node: c.NodeOf} }
	case "cluster-resp2":
		c := redistest.StartCluster(t, 3, opts...)
		return func(*testing.T) site {
			return site{servers: c, node: c.NodeOf, options: []func(*rueidis.ClientOption){resp2}}
		}
	default:
		require.FailNow(t, "no such deployment", "%s=%s", deploymentVariable, name)
		return nil
	}
}

// alone is a server of its own for each test.
func alone(opts []redistest.Option, options ...func(*rueidis.ClientOption)) func(*testing.T) site {
	return func(t *testing.T) site {
		t.Helper()
		server := redistest.Start(t, opts...)
		node := func(testing.TB, string) *redistest.Server { return server }
		return site{servers: server, options: options, node: node}
	}
}

func resp2(o *rueidis.ClientOption) { o.AlwaysRESP2 = true }

const (
	publisherRole = "publisher"
	password      = "secret"
)

// withUsers is alone with a user for each role, who has the rights in docs/rights.md. In the end
// nobody has been denied anything.
func withUsers(opts []redistest.Option) func(*testing.T) site {
	return func(t *testing.T) site {
		t.Helper()
		all := slices.Clone(opts)
		for _, role := range []string{publisherRole, groupRole, fanOutRole} {
			all = append(all, redistest.User(role, password, rightsOf(t, role)...))
		}
		server := redistest.Start(t, all...)
		t.Cleanup(func() { requireNothingDenied(t, server) })
		node := func(testing.TB, string) *redistest.Server { return server }
		return site{servers: server, users: true, node: node}
	}
}

// rightsOf are those for the topics of the suite, and for those with a hash tag, which are their
// own prefix.
func rightsOf(t *testing.T, role string) []string {
	t.Helper()
	rights := redistest.Rights(t, role, "topic-*")
	for _, right := range redistest.Rights(t, role, hashTag+"topic-*") {
		rights = append(rights, strings.ReplaceAll(right, "{"+hashTag+"topic-*}", hashTag+"topic-*"))
	}
	return rights
}

// requireNothingDenied looks at what the server has refused. rueidis tells newer servers its
// name, and goes on without.
func requireNothingDenied(t *testing.T, server *redistest.Server) {
	t.Helper()
	denied, ok := server.Do(t, "ACL", "LOG").([]any)
	require.True(t, ok)
	for _, entry := range denied {
		require.Contains(t, fmt.Sprint(entry), "client|setinfo")
	}
}
