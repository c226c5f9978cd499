package redisstream

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// member is a subscription as its group sees it: what it asks of the server for
// the entries it holds. Every call has a time-out of its own.
type member struct {
	group   xstream.Group
	ledger  *ledger
	health  *health
	log     logger
	minIdle time.Duration
	dead    string // stream of dead letters
	maxDead int64  // about how many of them to keep; 0 = all
	markKey string // see restore
	unseen  int    // see xstream.Farewell
	// atMostOnce: the server keeps nothing for us.
	atMostOnce bool

	// recall has the dispatcher look whether what it offers was lost.
	recall func()

	// confirmName makes sure that the consumer's name is still ours; nil when
	// nobody else can have it.
	confirmName func(ctx context.Context) error

	unheld unheld

	silence chan struct{} // one token: the server did not answer

	restoring chan struct{} // one token: who has it restores the group

	mu       sync.Mutex // protects the following fields
	consumer string
	doubtful map[string]bool // IDs of claims without a reply
	position xstream.ID      // the group's, as last seen
	seen     xstream.ID      // the greatest ID that the stream is known to have had
	epoch    int             // how often the group was restored
	mark     string          // which of the groups that had this name we know
	trimmed  int             // entries that vanished while they were pending
	read     time.Time       // when the last read was sent that brought something
}

// name is the consumer's name now. It changes when another process has taken a
// configured name.
func (m *member) name() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.consumer
}

func (m *member) rename(consumer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.consumer, m.read = consumer, time.Time{} // nobody has read under this name
}

// hasRead notes when a read was sent that brought something. One that did not is no sign
// of life to some servers.
func (m *member) hasRead(consumer string, sent time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if consumer == m.consumer {
		m.read = sent
	}
}

func (m *member) lastRead() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.read
}

// checkName makes sure that nothing is done under a name that somebody else has.
func (m *member) checkName(ctx context.Context) error {
	if m.confirmName == nil {
		return nil
	}
	return m.confirmName(ctx)
}

// verify asks whether an entry is still ours, and counts the hand-out to come. It
// goes on until Redis has answered or the context ends.
func (m *member) verify(ctx context.Context, e *entry) bool {
	count := m.ledger.nextCount(e)
	if !m.claims(ctx, e, count) {
		return false
	}
	m.ledger.verified(e, count.Deliveries)
	return true
}

// stillOurs is verify for an entry whose hand-out is counted.
func (m *member) stillOurs(ctx context.Context, e *entry) bool {
	return m.claims(ctx, e, xstream.Count{ID: e.IDText(), Deliveries: xstream.Unchanged})
}

func (m *member) claims(ctx context.Context, e *entry, count xstream.Count) bool {
	t := trouble{log: m.log, doing: "verify an entry before it is handed out"}
	for {
		epoch, sent := m.currentEpoch(), time.Now()
		counts, err := ask(ctx, m, func(ctx context.Context) ([]int64, error) {
			return m.group.Touch(ctx, m.name(), []xstream.Count{count})
		})
		if err == nil && counts[0] == xstream.NotMine {
			var again bool
			if again, err = m.groupReplaced(ctx, epoch); again && err == nil {
				continue
			}
		}
		if err == nil {
			t.over()
			return m.judge(e, sent, counts[0])
		}
		if !t.wait(ctx, err) {
			return false
		}
	}
}

// judge takes note of Touch's answer for an entry.
func (m *member) judge(e *entry, sent time.Time, count int64) bool {
	switch count {
	case xstream.NotMine:
		m.lost(e, ErrLeaseLost)
		return false
	case xstream.Gone:
		m.gone(e.IDText())
		m.ledger.lose(e) // its handler may finish: nobody else can have it
		m.recall()
		return false
	default:
		m.ledger.confirm(e, sent)
		return true
	}
}

// lost drops an entry that somebody else has, and tells its handler.
func (m *member) lost(e *entry, cause error) {
	d, lostNow := m.ledger.lose(e)
	if !lostNow {
		return
	}
	m.log.Info("Lost an entry to another consumer", watermill.LogFields{"entry_id": e.IDText(), "in_flight": d != nil})
	if d != nil {
		d.ctx.end(cause)
	}
	m.recall()
}

// maxDoubts bounds what is remembered of claims without a reply. A claim may be
// executed long after it was sent, so they are not forgotten earlier.
const maxDoubts = 10_000

// doubt remembers entries that may have become ours without our seeing it. Their
// counts have no hand-out to come.
func (m *member) doubt(ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.doubtful == nil || len(m.doubtful) > maxDoubts {
		m.doubtful = make(map[string]bool, len(ids))
	}
	for _, id := range ids {
		m.doubtful[id] = true
	}
}

// isDoubtful reports whether doubt was told of an entry.
func (m *member) isDoubtful(id xstream.ID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.doubtful) > 0 && m.doubtful[id.String()]
}

func (m *member) doubts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.doubtful))
}

// gone counts entries that were trimmed or deleted while they were pending.
func (m *member) gone(ids ...string) {
	if len(ids) == 0 {
		return
	}
	m.mu.Lock()
	m.trimmed += len(ids)
	total := m.trimmed
	m.mu.Unlock()
	m.log.Error("Entries were trimmed or deleted before they were acked", nil, watermill.LogFields{"entry_ids": ids, "total": total})
}
