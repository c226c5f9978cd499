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
	// Err is nil when the message was published.
	Err error
	// Unknown: the answer was lost, and the message may have been published.
	Unknown bool
}

// PublishError tells what became of each message of a call of Publish. It is
// ErrNonePublished when none was published, ErrOutcomeUnknown when the answer
// for one was lost, and wraps what went wrong.
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

func outcomes(topic string, messages []*message.Message, added []xstream.Added) *PublishError {
	e := &PublishError{Topic: topic, Outcomes: make([]Outcome, len(messages))}
	for i, a := range added {
		unknown := a.Err != nil && !xstream.IsReply(a.Err) && !xstream.NotSent(a.Err)
		e.Outcomes[i] = Outcome{Message: messages[i], EntryID: a.ID, Err: a.Err, Unknown: unknown}
	}
	return e
}

func (e *PublishError) Error() string {
	published, unknown := 0, 0
	var first error
	for _, o := range e.Outcomes {
		switch {
		case o.Err == nil:
			published++
			continue
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
		return !slices.ContainsFunc(e.Outcomes, func(o Outcome) bool { return o.Err == nil || o.Unknown })
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
