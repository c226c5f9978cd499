package contestant

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
)

// Member is a member of a group of ours with a client of its own, as if it had a process of its
// own.
type Member struct {
	line       *line
	client     rueidis.Client
	subscriber *redisstream.Subscriber
	close      func() error
}

// NewMember connects. The Client of the configuration is the member's.
func NewMember(option rueidis.ClientOption, config redisstream.SubscriberConfig) (*Member, error) {
	m := &Member{line: &line{}}
	option.DialCtxFn = m.line.dial
	var err error
	if m.client, err = rueidis.NewClient(option); err != nil {
		return nil, err
	}
	config.Client = m.client
	if m.subscriber, err = redisstream.NewSubscriber(config, nil); err != nil {
		m.client.Close()
		return nil, err
	}
	m.close = sync.OnceValue(func() error {
		defer m.client.Close()
		return m.subscriber.Close()
	})
	return m, nil
}

// Subscribe joins the group.
func (m *Member) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return m.subscriber.Subscribe(ctx, topic)
}

// Crash cuts the member off from Redis for good, without a word.
func (m *Member) Crash() { m.line.end() }

// Close leaves the group. It may be called again.
func (m *Member) Close() error { return m.close() }
