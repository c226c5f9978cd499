package contestant

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/traffic"
)

// Raw is rueidis without Watermill: the limit of what Redis and the client can do.
type Raw struct {
	Options Options
	Count   int64 // entries in one read, and at most in one ack
}

var _ Library = Raw{}

// Open implements Library.
func (r Raw) Open(_ context.Context, f *bench.Fixture) (*Session, error) {
	client, err := rueidis.NewClient(r.Options(f.Redis.Addr()))
	if err != nil {
		return nil, err
	}
	return &Session{
		Publisher: rawPublisher{client},
		Consume: func(ctx context.Context, each func([]byte)) error {
			conn, release := client.Dedicate()
			defer release()
			if f.Group == "" {
				return newRawFollower(conn, f, r.Count).run(ctx, each)
			}
			return newRawMember(conn, f, r.Count).run(ctx, each)
		},
		Close: func() error { client.Close(); return nil },
	}, nil
}

// Fill implements Library.
func (Raw) Fill(ctx context.Context, f *bench.Fixture, _ *Session) error {
	return f.Redis.Fill(ctx, f.Topic, traffic.Messages(fillPool), f.Messages)
}

// rawPublisher sends the bytes that ours sends, and looks at the answers.
type rawPublisher struct{ client rueidis.Client }

func (p rawPublisher) Publish(topic string, messages ...*message.Message) error {
	ctx := messages[0].Context()
	if len(messages) == 1 {
		return p.client.Do(ctx, servers.Add(p.client, topic, messages[0])).Error()
	}
	commands := make(rueidis.Commands, 0, len(messages)+2)
	commands = append(commands, p.client.B().Multi().Build())
	for _, msg := range messages {
		commands = append(commands, servers.Add(p.client, topic, msg))
	}
	commands = append(commands, p.client.B().Exec().Build())
	replies := p.client.DoMulti(ctx, commands...)
	ids, err := replies[len(replies)-1].ToArray()
	if err == nil && len(ids) != len(messages) {
		err = fmt.Errorf("EXEC: %d replies for %d commands", len(ids), len(messages))
	}
	return err
}

func (rawPublisher) Close() error { return nil }

var errShape = errors.New("a reply of another shape than expected")
