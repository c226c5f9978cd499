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
	topics partitionedTopics

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
	return &Publisher{config: config, log: newLogger(adapter), adder: config.adder()}, nil
}

// Publish adds messages to the topic's stream, in order, and returns when Redis
// has answered for all of them. The topic is the key of the stream, unless
// PublisherConfig.Partitions divides it into several.
//
// Several messages are one transaction: all are published or none, unless IDs of
// the user's own are too small, the answer is lost, or the server allows no
// transactions. The error is a *PublishError then, which tells the messages
// apart; errors.Is with ErrNonePublished says that all of them can be published
// again without making duplicates. The messages of a topic with several partitions are
// one transaction for each partition: those of one may be published and those of
// another not.
//
// The first call for a topic with partitions, and then one every five seconds, checks
// their number before it sends anything, which is one more round trip.
//
// With PublisherConfig.Durability it also waits until those have the messages who should. The
// outcome of a message that they do not have in time has its entry ID and a *NotDurableError.
//
// A message whose context has ended is not sent, and neither are the others of
// its call. Once it is sent, the context no longer counts: Publish waits for the
// answer, which takes at most about the time-outs of the client (10 to 12
// seconds by default; 17, behind calls of others) when Redis is frozen. It does
// not try again by itself.
//
// Single messages that many goroutines publish to a topic at once go together. To a
// hook of the client, such as one for traces, they are one call, with the values of
// one of their contexts.
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
	maxLen, err := p.maxLen(topic)
	if err != nil {
		return newPublishError(topic, messages, err)
	}
	if p.config.Partitions != nil {
		n, err := p.partitions(topic)
		if err != nil {
			return newPublishError(topic, messages, err)
		}
		if n > 0 {
			return p.publishPartitioned(topic, n, messages, maxLen)
		}
	}
	// From here on nothing but an answer ends the call: rueidis may write a
	// command late, and reads the payload then.
	ctx := withoutEnd(messages[0].Context())
	if len(messages) == 1 {
		e, err := p.entry(topic, messages[0], maxLen, make([]string, 0, 2*usualFields))
		if err != nil {
			return newPublishError(topic, messages, err)
		}
		return p.report(topic, messages, p.adder.AddOne(ctx, topic, &e))
	}
	entries, err := p.entries(topic, messages, maxLen)
	if err != nil {
		return newPublishError(topic, messages, err)
	}
	return p.report(topic, messages, p.adder.Add(ctx, topic, entries)...)
}

// withoutEnd is a context that does not end, with the values of another one. Most messages have
// none of their own.
func withoutEnd(ctx context.Context) context.Context {
	if ctx == context.Background() { //nolint:forbidigo // it is not used, but compared
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// Close waits for the calls of Publish in progress. Later ones return
// ErrPublisherClosed. The client stays open.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

func (p *Publisher) maxLen(topic string) (int64, error) {
	if p.config.MaxLen == nil {
		return 0, nil
	}
	maxLen := p.config.MaxLen(topic)
	if maxLen < 0 {
		return 0, &ConfigError{"PublisherConfig.MaxLen", maxLen, "must return 0, for no limit, or more"}
	}
	return maxLen, nil
}

// entries checks and marshals all messages before any is sent.
func (p *Publisher) entries(topic string, messages []*message.Message, maxLen int64) ([]xstream.Addition, error) {
	entries := make([]xstream.Addition, len(messages))
	room := make([]string, 0, 2*usualFields*len(messages)) // one allocation for all, nearly always
	for i, msg := range messages {
		e, err := p.entry(topic, msg, maxLen, room)
		if err != nil {
			return nil, err
		}
		entries[i], room = e, e.Fields[len(e.Fields):]
	}
	return entries, nil
}

// entry checks and marshals a message. Its fields are in room, if there is enough.
func (p *Publisher) entry(topic string, msg *message.Message, maxLen int64, room []string) (xstream.Addition, error) {
	e := xstream.Addition{MaxLen: maxLen}
	if err := msg.Context().Err(); err != nil {
		return e, fmt.Errorf("message %s: %w", msg.UUID, err)
	}
	var err error
	if e.Fields, err = p.marshal(room, topic, msg); err != nil {
		return e, fmt.Errorf("marshal message %s: %w", msg.UUID, err)
	}
	if len(e.Fields) == 0 {
		return e, fmt.Errorf("marshal message %s: no fields, and an entry needs one", msg.UUID)
	}
	if p.config.EntryID != nil {
		e.ID = p.config.EntryID(topic, msg)
		if !validEntryID(e.ID) {
			return e, &ConfigError{"PublisherConfig.EntryID", e.ID, `must return "<milliseconds>-<sequence>", "<milliseconds>-*" or ""`}
		}
	}
	return e, nil
}

// marshal appends the names and the values of a message's fields to room.
func (p *Publisher) marshal(room []string, topic string, msg *message.Message) ([]string, error) {
	if _, ok := p.config.Marshaler.(DefaultMarshaler); ok {
		fields, err := usualEntry(msg)
		return flatten(room, fields[:]), err
	}
	fields, err := p.config.Marshaler.Marshal(topic, msg)
	return flatten(room, fields), err
}

// flatten appends the names and the values of fields.
func flatten(room []string, fields []Field) []string {
	for _, f := range fields {
		room = append(room, f.Name, f.Value)
	}
	return room
}

func validEntryID(id string) bool {
	if id == "" || id == "*" {
		return true
	}
	parsed, err := xstream.ParseID(strings.TrimSuffix(id, "-*"))
	return err == nil && (strings.HasSuffix(id, "-*") || !parsed.IsZero())
}

// report turns Redis' answers into receipts and an error.
func (p *Publisher) report(topic string, messages []*message.Message, added ...xstream.Added) error {
	failed := slices.IndexFunc(added, func(a xstream.Added) bool { return a.Err != nil })
	for i, a := range added {
		if a.ID != "" {
			receiptOf(messages[i]).add(a.ID)
		}
	}
	if failed >= 0 {
		return outcomes(topic, messages, added, p.config.Durability)
	}
	if !p.log.silent {
		p.log.Trace("Messages published", watermill.LogFields{"topic": topic, "messages": len(messages), "last_entry_id": added[len(added)-1].ID})
	}
	return nil
}
