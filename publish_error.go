package redisstream

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// Outcome is what became of one message of a call of Publish.
type Outcome struct {
	Message *message.Message
	EntryID string // set when the message was published
	// Err is nil when the message was published, and whoever should have it by
	// PublisherConfig.Durability has it. A message that was published without that has
	// a *NotDurableError: it is in the stream, and to publish it again makes a duplicate.
	Err error
	// Unknown: the answer was lost, and the message may have been published.
	Unknown bool
}

// PublishError tells what became of each message of a call of Publish. It is
// ErrNonePublished when none was published, ErrOutcomeUnknown when the answer
// for one was lost, and wraps what went wrong. With PublisherConfig.Durability, all may have
// been published: it is ErrNotDurable when one was that too few have.
type PublishError struct {
	Topic    string
	Outcomes []Outcome // one for each message, in order
}

// newPublishError is for messages none of which was sent.
func newPublishError(topic string, messages []*message.Message, err error) *PublishError {
	e := &PublishError{Topic: topic, Outcomes: make([]Outcome, len(messages))}
	for i, msg := range messages {
		e.Outcomes[i] = Outcome{Message: msg, Err: err}
	}
	return e
}

func outcomes(topic string, messages []*message.Message, added []xstream.Added, wanted Durability) *PublishError {
	e := &PublishError{Topic: topic, Outcomes: make([]Outcome, len(messages))}
	short := notDurable{wanted: wanted}
	for i, a := range added {
		unknown := a.Err != nil && a.ID == "" && !xstream.IsReply(a.Err) && !xstream.NotSent(a.Err)
		e.Outcomes[i] = Outcome{Message: messages[i], EntryID: a.ID, Err: short.public(a.Err), Unknown: unknown}
	}
	return e
}

func (o Outcome) published() bool { return o.EntryID != "" }

func (e *PublishError) Error() string {
	published, unknown := 0, 0
	var first error
	for _, o := range e.Outcomes {
		switch {
		case o.published():
			published++
		case o.Unknown:
			unknown++
		}
		if first == nil {
			first = o.Err
		}
	}
	return fmt.Sprintf("publish to %q: %d published, %d unknown, %d not published: %v",
		e.Topic, published, unknown, len(e.Outcomes)-published-unknown, first)
}

// Is makes the error ErrNonePublished or ErrOutcomeUnknown where it is.
func (e *PublishError) Is(target error) bool {
	switch target {
	case ErrNonePublished:
		return !slices.ContainsFunc(e.Outcomes, func(o Outcome) bool { return o.published() || o.Unknown })
	case ErrOutcomeUnknown:
		return slices.ContainsFunc(e.Outcomes, func(o Outcome) bool { return o.Unknown })
	default:
		return false
	}
}

// Unwrap returns the messages' errors, each once.
func (e *PublishError) Unwrap() []error {
	var errs []error
	for _, o := range e.Outcomes {
		if o.Err != nil && !slices.ContainsFunc(errs, func(err error) bool { return errors.Is(o.Err, err) }) {
			errs = append(errs, o.Err)
		}
	}
	return errs
}
