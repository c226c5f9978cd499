package redisstream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// Publisher publishes messages to Redis Streams. It is safe for concurrent use,
// and calls of several goroutines share round trips.
type Publisher struct {
	config PublisherConfig
	log    logger
	adder  *xstream.Adder

	mu     sync.RWMutex // held for reading during a call of Publish
	closed bool         // protected by mu
}

var _ message.Publisher = (*Publisher)(nil)

// NewPublisher returns a Publisher. It does not reach for Redis yet. The error
// joins a *ConfigError for each bad field. A nil logger is silent.
func NewPublisher(config PublisherConfig, adapter watermill.LoggerAdapter) (*Publisher, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	return &Publisher{config: config, log: newLogger(adapter), adder: xstream.NewAdder(config.Client)}, nil
}

// Publish adds messages to the topic's stream, in order, and returns when Redis
// has answered for all of them. The topic is the key of the stream.
//
// Several messages are one transaction: all are published or none, unless IDs of
// the user's own are too small, the answer is lost, or the server allows no
// transactions. The error is a *PublishError then, which tells the messages
// apart; errors.Is with ErrNonePublished says that all of them can be published
// again without making duplicates.
//
// A message whose context has ended is not sent, and neither are the others of
// its call. Once it is sent, the context no longer counts: Publish waits for the
// answer, which takes at most about the time-outs of the client (10 to 12
// seconds by default) when Redis is frozen. It does not try again by itself.
//
// Payloads are sent without a copy. They must not change until Publish has
// returned, and are not looked at afterwards.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return ErrPublisherClosed
	}
	if err := validateTopic(topic); err != nil {
		return err
	}
	if len(messages) == 0 {
		return nil
	}
	entries, err := p.entries(topic, messages)
	if err != nil {
		return newPublishError(topic, messages, err)
	}
	// From here on nothing but an answer ends the call: rueidis may write a
	// command late, and reads the payload then.
	ctx := context.WithoutCancel(messages[0].Context())
	return p.report(topic, messages, p.adder.Add(ctx, topic, entries))
}

// Close waits for the calls of Publish in progress. Later ones return
// ErrPublisherClosed. The client stays open.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// entries checks and marshals all messages before any is sent.
func (p *Publisher) entries(topic string, messages []*message.Message) ([]xstream.Addition, error) {
	var maxLen int64
	if p.config.MaxLen != nil {
		if maxLen = p.config.MaxLen(topic); maxLen < 0 {
			return nil, &ConfigError{"PublisherConfig.MaxLen", maxLen, "must return 0, for no limit, or more"}
		}
	}
	entries := make([]xstream.Addition, len(messages))
	for i, msg := range messages {
		if err := msg.Context().Err(); err != nil {
			return nil, fmt.Errorf("message %s: %w", msg.UUID, err)
		}
		fields, err := p.config.Marshaler.Marshal(topic, msg)
		if err != nil {
			return nil, fmt.Errorf("marshal message %s: %w", msg.UUID, err)
		}
		if len(fields) == 0 {
			return nil, fmt.Errorf("marshal message %s: no fields, and an entry needs one", msg.UUID)
		}
		entries[i] = xstream.Addition{MaxLen: maxLen, Fields: flatten(fields)}
		if p.config.EntryID != nil {
			id := p.config.EntryID(topic, msg)
			if !validEntryID(id) {
				return nil, &ConfigError{"PublisherConfig.EntryID", id, `must return "<milliseconds>-<sequence>", "<milliseconds>-*" or ""`}
			}
			entries[i].ID = id
		}
	}
	return entries, nil
}

func validEntryID(id string) bool {
	if id == "" || id == "*" {
		return true
	}
	parsed, err := xstream.ParseID(strings.TrimSuffix(id, "-*"))
	return err == nil && (strings.HasSuffix(id, "-*") || !parsed.IsZero())
}

func flatten(fields []Field) []string {
	flat := make([]string, 0, 2*len(fields))
	for _, f := range fields {
		flat = append(flat, f.Name, f.Value)
	}
	return flat
}

// report turns Redis' answers into receipts and an error.
func (p *Publisher) report(topic string, messages []*message.Message, added []xstream.Added) error {
	failed := slices.IndexFunc(added, func(a xstream.Added) bool { return a.Err != nil })
	for i, a := range added {
		if a.Err == nil {
			receiptOf(messages[i]).add(a.ID)
		}
	}
	if failed >= 0 {
		return outcomes(topic, messages, added)
	}
	if !p.log.silent {
		p.log.Trace("Messages published", watermill.LogFields{"topic": topic, "messages": len(messages), "last_entry_id": added[len(added)-1].ID})
	}
	return nil
}
