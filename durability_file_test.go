package redisstream_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// inFile waits for the master's file only.
var inFile = redisstream.Durability{Local: true, Timeout: 30 * time.Second}

func TestPublishWaitsForTheFile(t *testing.T) {
	t.Parallel()
	for name, fsync := range map[string]string{"always": "always", "each second": "everysec"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.AppendOnly(fsync))
			publisher := durablePublisher(t, server.Client(t), inFile)
			err := publisher.Publish("orders", newMessages(3)...)
			if !canWaitForFiles(t, server) {
				requireUnable(t, server, err, "takes Redis 7.2 or Valkey")
				return
			}
			require.NoError(t, err)
			require.NoError(t, publisher.Publish("orders", newMessages(1)...))
			server.Kill(t)
			server.Restart(t)
			require.Equal(t, int64(4), length(t, server, "orders"))
		})
	}
}

func requireUnable(t *testing.T, server *redistest.Server, err error, why string) {
	t.Helper()
	require.ErrorIs(t, err, redisstream.ErrNonePublished)
	require.NotErrorIs(t, err, redisstream.ErrNotDurable)
	require.ErrorContains(t, err, why)
	require.Zero(t, length(t, server, "orders"))
}

func TestServerWithoutAFileStoresNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	publisher := durablePublisher(t, server.Client(t), inFile)
	err := publisher.Publish("orders", newMessages(1)...)
	if !canWaitForFiles(t, server) {
		requireUnable(t, server, err, "takes Redis 7.2 or Valkey")
		return
	}
	requireUnable(t, server, err, `it needs "appendonly yes"`)
	server.Do(t, "CONFIG", "SET", "appendonly", "yes")
	require.NoError(t, publisher.Publish("orders", newMessages(1)...))
	server.Do(t, "CONFIG", "SET", "appendonly", "no")
	short := requireNotDurable(t, publisher.Publish("orders", newMessages(1)...), 1)
	require.Equal(t, -1, short.Replicas)
	require.ErrorContains(t, short, `it needs "appendonly yes"`)
	require.ErrorIs(t, publisher.Publish("orders", newMessages(1)...), redisstream.ErrNonePublished, "it is known by now")
}

// Replicas count with their files.
func TestPublishWaitsForTheFilesOfReplicas(t *testing.T) {
	t.Parallel()
	master, replica := newPair(t, redistest.AppendOnly("always"))
	d := whenWell
	d.Local = true
	err := durablePublisher(t, master.Client(t), d).Publish("orders", newMessages(2)...)
	if !canWaitForFiles(t, master) {
		requireUnable(t, master, err, "takes Redis 7.2 or Valkey")
		return
	}
	require.NoError(t, err)
	require.Equal(t, int64(2), length(t, replica, "orders"))
	replica.Pause(t)
	d.Timeout = 100 * time.Millisecond
	err = durablePublisher(t, master.Client(t), d).Publish("orders", newMessages(2)...)
	short := requireNotDurable(t, err, 2)
	require.Zero(t, short.Replicas)
	require.True(t, short.Local)
	require.ErrorContains(t, err, "0 of 1 replicas have it in their files, and in the master's it is: true")
}
