package redisstream

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// undertaker moves entries that the group gives up to its dead letters, beside the
// flow of messages: when Redis refuses the move, it is tried again and again while
// everything else goes on.
type undertaker struct {
	burier burier
	ledger *ledger
	burial burial
	log    logger
	added  chan struct{} // one token: there may be entries
	finish chan struct{} // closed when no more will come

	mu    sync.Mutex // protects the following fields
	queue []corpse
}

// epitaph is what is said of an entry that is given up.
type epitaph struct {
	reason              string
	handler, subscriber string // "" = not known
}

// corpse is an entry with what is said of it.
type corpse struct {
	entry *entry
	epitaph
	reported   bool
	unanswered bool // the last attempt may have been executed
}

// burier moves entries to the dead letters.
type burier interface {
	name() string
	find(ctx context.Context, id xstream.ID) (xstream.Entry, bool, error)
	stillOurs(ctx context.Context, e *entry) bool
	// bury reports false when the entry is not ours any more.
	bury(ctx context.Context, l letter) (moved bool, err error)
}

// letter is what an entry becomes.
type letter struct {
	id         string // the entry's
	fields     []string
	unanswered bool // an earlier attempt may have been executed
}

// burial is what the dead letters of a subscription have in common.
type burial struct{ topic, group, dead string }

func newUndertaker(b burier, l *ledger, common burial, log logger) *undertaker {
	return &undertaker{burier: b, ledger: l, burial: common, log: log, added: make(chan struct{}, 1), finish: make(chan struct{})}
}

// maxReason bounds the reason of a letter, in bytes: it may have a stack trace.
const maxReason = 4096

func (u *undertaker) add(e *entry, why epitaph) {
	if len(why.reason) > maxReason {
		why.reason = strings.ToValidUTF8(why.reason[:maxReason], "") + "…"
	}
	u.mu.Lock()
	u.queue = append(u.queue, corpse{entry: e, epitaph: why})
	u.mu.Unlock()
	wake(u.added)
}

// run moves entries until ctx ends, or finish is closed and each was tried once
// more.
func (u *undertaker) run(ctx context.Context) {
	for {
		again := u.bury(ctx)
		select {
		case <-u.finish:
			u.bury(ctx)
			return
		default:
		}
		if again {
			pauseOr(ctx, u.finish)
			continue
		}
		select {
		case <-u.added:
		case <-u.finish:
		case <-ctx.Done():
			return
		}
	}
}

// pauseOr waits as long as before another attempt at what Redis refuses.
func pauseOr(ctx context.Context, finish <-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, jitter(retryMax))
	defer cancel()
	select {
	case <-finish:
	case <-ctx.Done():
	}
}

// bury moves entries until one can't be moved, and reports whether that was so.
func (u *undertaker) bury(ctx context.Context) (refused bool) {
	u.mu.Lock()
	batch := u.queue
	u.queue = nil
	u.mu.Unlock()
	for i := range batch {
		if u.buryOne(ctx, &batch[i]) {
			continue
		}
		// What is refused for one is refused for all, so the others wait. This one
		// comes last next time, in case that it alone is the reason.
		u.mu.Lock()
		u.queue = slices.Concat(batch[i+1:], u.queue, batch[i:i+1])
		u.mu.Unlock()
		return true
	}
	return false
}

func (u *undertaker) buryOne(ctx context.Context, c *corpse) bool {
	if u.ledger.isLost(c.entry) { // it may be ours again, and with a handler
		return true
	}
	if c.entry.isLent() {
		same, ok, err := u.burier.find(ctx, c.entry.ID)
		switch {
		case err != nil:
			return u.refused(ctx, c, err)
		case !ok:
			return !u.burier.stillOurs(ctx, c.entry) // it notes that the entry is gone
		case c.entry.IsOther(&same):
			u.ledger.lose(c.entry)
			return true
		}
		c.entry.Refill(same)
	}
	moved, err := u.burier.bury(ctx, letter{id: c.entry.IDText(), fields: u.letter(c), unanswered: c.unanswered})
	if err != nil {
		c.unanswered = !xstream.IsReply(err)
		return u.refused(ctx, c, err)
	}
	u.ledger.forget([]*entry{c.entry})
	if moved || c.unanswered { // the answer to an earlier attempt may be lost
		u.log.Error("Moved an entry to the dead letters", errors.New(c.reason), u.fields(c))
	}
	return true
}

// bury implements burier.
func (m *member) bury(ctx context.Context, l letter) (bool, error) {
	for {
		epoch := m.currentEpoch()
		moved, err := ask(ctx, m, func(ctx context.Context) (bool, error) {
			return m.group.Bury(ctx, xstream.Burial{Dead: m.dead, MaxLen: m.maxDead, Consumer: m.name(), ID: l.id, Fields: l.fields})
		})
		if err != nil || moved || l.unanswered {
			return moved, err
		}
		if again, err := m.groupReplaced(ctx, epoch); !again || err != nil {
			return false, err
		}
	}
}

// refused reports once that an entry can't be moved now.
func (u *undertaker) refused(ctx context.Context, c *corpse, err error) bool {
	if !c.reported && ctx.Err() == nil {
		u.log.Error("Can't move an entry to the dead letters, will retry", err, u.fields(c))
	}
	c.reported = true
	if xstream.Classify(err) == xstream.Refused { // it may last
		u.ledger.overtake(c.entry)
	}
	return false
}

func (u *undertaker) fields(c *corpse) watermill.LogFields {
	return watermill.LogFields{"entry_id": c.entry.IDText(), "dead_letters": u.burial.dead}
}

// letter is the entry's fields as they are, and what became of it.
func (u *undertaker) letter(c *corpse) []string {
	fields := make([]string, 0, 2*(c.entry.Len()+len(deadFields)))
	for i := range c.entry.Len() {
		name, value := c.entry.Field(i)
		fields = append(fields, name, value)
	}
	return append(fields,
		DeadReasonField, c.reason,
		DeadTopicField, u.burial.topic,
		DeadHandlerField, c.handler,
		DeadSubscriberField, cmp.Or(c.subscriber, "redisstream.Subscriber"),
		DeadEntryIDField, c.entry.IDText(),
		DeadGroupField, u.burial.group,
		DeadConsumerField, u.burier.name(),
		DeadDeliveriesField, strconv.FormatInt(u.ledger.handOuts(c.entry), 10),
		DeadFirstTimeField, c.entry.ID.Time().UTC().Format(deadTimeFormat),
		DeadLastTimeField, time.Now().UTC().Format(deadTimeFormat),
	)
}
