package redistest

import (
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

// reader may read what begins with k. The other rights are for its client.
func reader() Option {
	return User("reader", "secret", "~k*", "+get", "+hello", "+ping", "+cluster|slots", "+cluster|shards", "+role")
}

func TestUserHasItsRightsOnly(t *testing.T) {
	t.Parallel()
	s := Start(t, reader())
	for range 2 {
		client := s.Client(t, As("reader", "secret"))
		requireReader(t, client)
		s.Restart(t)
	}
	wrong, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.Addr()}, DisableCache: true, Username: "reader", Password: "wrong",
	})
	if err == nil {
		wrong.Close()
	}
	require.ErrorContains(t, err, "WRONGPASS")
}

func TestUserIsOnAllNodes(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, reader())
	client := s.Client(t, As("reader", "secret"))
	requireReader(t, client)
	s.Failover(t)
	eventually(t, "the client follows", func() bool { return getK(t, client) == nil })
	requireReader(t, client)

	c := StartCluster(t, 3, reader())
	client = c.Client(t, As("reader", "secret"))
	requireReader(t, client)
	c.Failover(t, c.NodeOf(t, "k"))
	eventually(t, "the client follows", func() bool { return getK(t, client) == nil })
	requireReader(t, client)
}

func requireReader(t *testing.T, client rueidis.Client) {
	t.Helper()
	require.NoError(t, getK(t, client))
	err := client.Do(t.Context(), client.B().Set().Key("k").Value("v").Build()).Error() //nolint:forbidigo // see ping
	require.ErrorContains(t, err, "NOPERM")
	err = client.Do(t.Context(), client.B().Get().Key("other").Build()).Error() //nolint:forbidigo // see ping
	require.ErrorContains(t, err, "NOPERM")
}

func getK(t *testing.T, client rueidis.Client) error {
	t.Helper()
	err := client.Do(t.Context(), client.B().Get().Key("k").Build()).Error() //nolint:forbidigo // see ping
	if rueidis.IsRedisNil(err) {
		return nil
	}
	return err
}
