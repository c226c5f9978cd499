package redistest

import (
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

func TestSentinelServes(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t)
	first := s.Master(t)
	require.NotEqual(t, first, s.Replica(t))
	client := s.Client(t)
	require.Equal(t, rueidis.ClientModeSentinel, client.Mode())
	setThrough(t, client, "1")
	require.Equal(t, "1", first.Do(t, "GET", "k"))

	second := s.Failover(t)
	require.NotEqual(t, first, second)
	require.Equal(t, second, s.Master(t))
	require.Equal(t, first, s.Replica(t))
	require.Equal(t, "1", second.Do(t, "GET", "k"), "nothing is lost")
	setThrough(t, client, "2")
	require.Equal(t, "2", second.Do(t, "GET", "k"))

	require.Equal(t, first, s.Kill(t))
	require.Equal(t, first, s.Master(t))
	setThrough(t, client, "3")
	s.Restart(t, second)
	require.Equal(t, second, s.Replica(t))
	eventually(t, "it has its master's data", func() bool { return second.Do(t, "GET", "k") == "3" })
	require.Equal(t, second, s.Failover(t), "and can take over")
}

func TestSentinelsDeposeAFrozenMaster(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t)
	client := s.Client(t)
	setThrough(t, client, "1")
	first := s.Master(t)
	second := s.Depose(t, func(master *Server) { master.Pause(t) })
	require.NotEqual(t, first, second)
	requirePatience(t, s)
	setThrough(t, client, "2")
	require.Equal(t, "2", second.Do(t, "GET", "k"))
	first.Resume(t)
	s.awaitReplica(t, first)
	eventually(t, "it has its master's data", func() bool { return first.Do(t, "GET", "k") == "2" })
}

func TestSentinelsLeaveAFrozenMasterAlone(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t)
	master := s.Master(t)
	master.Pause(t)
	requirePatience(t, s)
	master.Resume(t)
	require.Equal(t, master, s.Master(t))
}

// requirePatience looks for how long a master may be silent.
func requirePatience(t *testing.T, s *Sentinel) {
	t.Helper()
	for _, watcher := range s.Sentinels() {
		watched := fieldsOf(watcher.Do(t, "SENTINEL", "MASTER", MasterSet))
		require.Equal(t, never, watched["down-after-milliseconds"])
	}
}

// setThrough sets the key k as soon as the client gets through.
func setThrough(t *testing.T, client rueidis.Client, value string) {
	t.Helper()
	eventually(t, "the key is set", func() bool {
		return client.Do(t.Context(), client.B().Set().Key("k").Value(value).Build()).Error() == nil //nolint:forbidigo // see ping
	})
}
