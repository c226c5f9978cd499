package redisstream

import (
	"context"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Receipt collects the IDs of the entries that messages became.
type Receipt struct {
	mu  sync.Mutex // protects the following fields
	ids []string
}

type receiptKey struct{}

// WithReceipt returns a context for messages whose entries' IDs the caller wants
// to know, and the Receipt that has them when Publish returns. Give the context
// to the messages with SetContext, or to a CQRS bus.
func WithReceipt(ctx context.Context) (context.Context, *Receipt) {
	r := &Receipt{}
	return context.WithValue(ctx, receiptKey{}, r), r
}

// EntryIDs returns the IDs of what has been published so far, in the order in
// which it was.
func (r *Receipt) EntryIDs() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids)
}

func (r *Receipt) add(id string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, id)
}

func receiptOf(msg *message.Message) *Receipt {
	r, _ := msg.Context().Value(receiptKey{}).(*Receipt)
	return r
}
