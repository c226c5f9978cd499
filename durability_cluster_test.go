package redisstream_test

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestPartitionsOfAClusterWaitForTheirOwnReplicas(t *testing.T) {
	t.Parallel()
	const n, each = 16, 4
	cluster := redistest.StartCluster(t, 2)
	config := partitioned(cluster.Client(t), n)
	config.Durability = whenWell
	publisher := publisherWith(t, config)
	require.NoError(t, publisher.Publish("orders", newMessages(n*each)...))
	masters := cluster.Masters(t)
	for i := range n {
		stream := "orders:" + strconv.Itoa(i)
		require.Equal(t, int64(each), length(t, cluster.NodeOf(t, stream), stream))
	}
	for _, master := range masters {
		_, err := cluster.ReplicaOf(t, master).TryDo(t.Context(), "XLEN", "orders:0")
		require.Error(t, err, "a replica only follows")
		require.Equal(t, master.Do(t, "DBSIZE"), cluster.ReplicaOf(t, master).Do(t, "DBSIZE"))
	}
	behind := masters[0]
	cluster.ReplicaOf(t, behind).Pause(t)
	config.Durability = redisstream.Durability{Replicas: 1, Timeout: time.Second}
	err := publisherWith(t, config).Publish("orders", newMessages(n*each)...)
	require.ErrorIs(t, err, redisstream.ErrNotDurable)
	var failed *redisstream.PublishError
	require.ErrorAs(t, err, &failed)
	short := 0
	for _, o := range failed.Outcomes {
		require.NotEmpty(t, o.EntryID)
		if o.Err != nil {
			require.ErrorIs(t, o.Err, redisstream.ErrNotDurable)
			short++
		}
	}
	behindHas := 0
	for i := range n {
		if stream := "orders:" + strconv.Itoa(i); cluster.NodeOf(t, stream) == behind {
			behindHas += each
		}
	}
	require.Equal(t, behindHas, short, "only what is on the node whose replica is behind")
}

// A slot moves to and fro while single messages and batches are published to it. Each is
// published, once, and its replica has it, wherever the slot is.
func TestDurableMessagesFollowTheirSlot(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	publisher := durablePublisher(t, cluster.Client(t), whenWell)
	done := &doneBook{}
	stop := make(chan struct{})
	var work sync.WaitGroup
	for g := range 4 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				msgs := newMessages(1 + 2*(g%2))
				if err := publisher.Publish("orders", msgs...); err != nil {
					t.Errorf("batch of %d: %v", len(msgs), err)
					return
				}
				done.note(msgs...)
			}
		})
	}
	masters := cluster.Masters(t)
	for round := range 4 {
		from := cluster.NodeOf(t, "orders")
		to := masters[round%3]
		if to == from {
			to = masters[(round+1)%3]
		}
		more := done.count() + 50
		eventually(t, 30*time.Second, func() bool { return done.count() > more }, "messages are published")
		cluster.MoveSlot(t, "orders", to, func() { // between the keys, and when none is left
			n := done.count() + 6
			eventually(t, 30*time.Second, func() bool { return t.Failed() || done.count() > n }, "messages are published meanwhile")
		})
	}
	close(stop)
	work.Wait()
	stored := fieldsAt(t, cluster.NodeOf(t, "orders"), "orders")
	require.Zero(t, done.missing(t, stored))
	require.Len(t, stored, done.count(), "each is there once")
	require.Equal(t, cluster.NodeOf(t, "orders").Do(t, "DBSIZE"), cluster.ReplicaOf(t, cluster.NodeOf(t, "orders")).Do(t, "DBSIZE"))
}

// The client does not know that the slot has moved, or is about to. What the old node's replica has
// says nothing of what the new node was sent.
func TestDurableMessageIsWaitedForWhereItsSlotIs(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 3} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, 2)
			client := cluster.Client(t)
			well, quick := durablePublisher(t, client, whenWell), durablePublisher(t, client, oneReplica)
			require.NoError(t, well.Publish("orders", newMessages(size)...))
			to := cluster.Masters(t)[0]
			if to == cluster.NodeOf(t, "orders") {
				to = cluster.Masters(t)[1]
			}
			stored := size
			replica := cluster.ReplicaOf(t, to)
			publish := func() {
				t.Helper()
				replica.Pause(t)
				short := requireNotDurable(t, quick.Publish("orders", newMessages(size)...), size)
				require.Zero(t, short.Replicas)
				stored += size
				replica.Resume(t)
			}
			asked := false
			cluster.MoveSlot(t, "orders", to, func() {
				if to.Do(t, "DBSIZE") == int64(1) && !asked {
					asked = true
					publish()
				}
			})
			require.True(t, asked)
			publish()
			require.Equal(t, int64(stored), length(t, to, "orders"))
		})
	}
}

func TestMasterThatDiesInAClusterLosesNothingDurable(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	const n = 12
	config := partitioned(cluster.Client(t), n)
	config.Durability = oneReplica
	publisher := publisherWith(t, config)
	done := &doneBook{}
	stop := make(chan struct{})
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				msgs := newMessages(n)
				var failed *redisstream.PublishError
				if err := publisher.Publish("orders", msgs...); err != nil && !errors.As(err, &failed) {
					t.Error(err)
					return
				}
				for i, msg := range msgs {
					if failed == nil || failed.Outcomes[i].Err == nil {
						done.note(msg)
					}
				}
			}
		})
	}
	eventually(t, 30*time.Second, func() bool { return done.count() > 200 }, "it works")
	master := cluster.NodeOf(t, "orders:0")
	cluster.KillAhead(t, master, func() {
		had := length(t, master, "orders:0")
		eventually(t, 30*time.Second, func() bool { return length(t, master, "orders:0") > had+5 }, "it works on")
	})
	more := done.count() + 200
	eventually(t, 60*time.Second, func() bool { return done.count() > more }, "it works again")
	close(stop)
	work.Wait()
	var stored [][]string
	for i := range n {
		stream := fmt.Sprint("orders:", i)
		stored = append(stored, fieldsAt(t, cluster.NodeOf(t, stream), stream)...)
	}
	require.Zero(t, done.missing(t, stored))
}
