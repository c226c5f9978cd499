package cases

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/contestant"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

const (
	// leaseTTL is the default of ours.
	leaseTTL = 5 * time.Second
	// lookInterval is how often the leases are looked at.
	lookInterval = 2 * time.Millisecond
)

// crew are the members of a group of a topic, each with a client of its own.
type crew struct {
	servers.Partitions

	divided  bool // or else the topic is one stream as ever
	fixture  *bench.Fixture
	options  contestant.Options
	members  []*contestant.Member
	channels []<-chan *message.Message // of those that have joined
	handlers sync.WaitGroup            // of their messages
}

// newCrew has a topic with so many partitions; 0 is a topic that has none.
func newCrew(f *bench.Fixture, options contestant.Options, partitions int) *crew {
	return &crew{
		Partitions: servers.Partitions{Topic: f.Topic, Group: f.Group, Count: max(partitions, 1)},
		divided:    partitions > 0,
		fixture:    f,
		options:    options,
	}
}

// hire connects a member that has not joined yet. In a run of fewer messages, leases are shorter.
func (c *crew) hire() (*contestant.Member, error) {
	config := redisstream.SubscriberConfig{ConsumerGroup: c.Group}
	if c.divided {
		config.Consumer = memberName(len(c.members))
		config.LeaseTTL = window(c.fixture, leaseTTL)
		config.Partitions = func(string) int { return c.Count }
	}
	member, err := contestant.NewMember(c.options(c.fixture.Redis.Addr()), config)
	if err == nil {
		c.members = append(c.members, member)
	}
	return member, err
}

// join has one more member join.
func (c *crew) join(ctx context.Context) error {
	member, err := c.hire()
	if err != nil {
		return err
	}
	messages, err := member.Subscribe(ctx, c.Topic)
	c.channels = append(c.channels, messages)
	return err
}

// settle waits until so many members say that they have even shares.
func (c *crew) settle(ctx context.Context, members int) error {
	return poll(ctx, func() (bool, error) {
		owned, err := c.fixture.Redis.Owned(ctx, c.Partitions)
		return len(owned) == members && isEven(owned, c.Count, members), err
	})
}

// memberName is what the ID of a member begins with, before a dash.
func memberName(number int) string { return fmt.Sprintf("member-%d", number) }

// Close ends all members, side by side.
func (c *crew) Close() error {
	var wg sync.WaitGroup
	errs := make([]error, len(c.members))
	for i, member := range c.members {
		wg.Go(func() { errs[i] = member.Close() })
	}
	wg.Wait()
	c.handlers.Wait()
	c.members = nil
	return errors.Join(errs...)
}

// isEven reports whether n partitions are with so many members, as evenly as can be. Who has
// nothing may be left out.
func isEven(owned map[string]int, n, members int) bool {
	busy, total := 0, 0
	for _, has := range owned {
		if has > 0 {
			busy++
		}
		if total += has; has > (n+members-1)/members || has < n/members {
			return false
		}
	}
	return total == n && busy == min(n, members)
}

// poll asks again and again, until the answer is yes.
func poll(ctx context.Context, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if err := elapse(ctx, lookInterval); err != nil {
			return err
		}
	}
}
