package servers

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// slotCount is how many slots a cluster has.
const slotCount = 16384

// Cluster is masters with an equal share of the slots, in order, and without replicas.
type Cluster struct{ Masters []*Redis }

// StartCluster returns once all masters serve.
func StartCluster(ctx context.Context, n int) (*Cluster, error) {
	c := &Cluster{}
	err := c.start(ctx, n)
	if err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, n int) error {
	buses := make([]string, n)
	for i := range n {
		bus, err := busPort(ctx)
		if err != nil {
			return err
		}
		buses[i] = strconv.Itoa(bus)
		master, err := runRedis(redistest.Config("cluster-enabled", "yes"), redistest.Config("cluster-port", buses[i]))
		if err != nil {
			return err
		}
		c.Masters = append(c.Masters, master)
	}
	return c.meet(ctx, buses)
}

// busPort is a free one. Somebody else may be faster to take it.
func busPort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	_, text, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// meet gives the masters their slots, makes them known to each other and waits until they serve.
func (c *Cluster) meet(ctx context.Context, buses []string) error {
	n := len(c.Masters)
	for i, master := range c.Masters {
		commands := [][]string{
			{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i + 1)},
			{"CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i * slotCount / n), strconv.Itoa((i+1)*slotCount/n - 1)},
		}
		for j := range i {
			commands = append(commands, []string{"CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(c.Masters[j].server.Port()), buses[j]})
		}
		for _, command := range commands {
			if _, err := master.server.TryDo(ctx, command...); err != nil {
				return err
			}
		}
	}
	for !c.serves(ctx) {
		if err := pollAgain(ctx); err != nil {
			return err
		}
	}
	return nil
}

// serves reports whether all masters know all and serve.
func (c *Cluster) serves(ctx context.Context) bool {
	for _, master := range c.Masters {
		reply, err := master.server.TryDo(ctx, "CLUSTER", "INFO")
		info, _ := reply.(string)
		size := fmt.Sprintf("cluster_known_nodes:%d\r", len(c.Masters))
		if err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, size) {
			return false
		}
	}
	return true
}

func pollAgain(ctx context.Context) error {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Addr is that of a master, as host:port.
func (c *Cluster) Addr() string { return c.Masters[0].Addr() }

// Stop ends all masters.
func (c *Cluster) Stop() {
	for _, master := range c.Masters {
		master.stop()
	}
}
