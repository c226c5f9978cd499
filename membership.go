package redisstream

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// membership is what a subscription does in its group, besides reading and
// handing out. It is its backing.
type membership struct {
	member  *member
	lease   *nameLease // nil with a generated name
	janitor *janitor
	pending *pendingWork // nil when delivery is at most once

	keeping sync.WaitGroup // what ends with the work, not with the fetching
	stop    context.CancelFunc
}

// pendingWork looks after what the server keeps for us until it is acked.
type pendingWork struct {
	claimer   *claimer
	heartbeat *heartbeat
	settlers
}

// fetch implements backing.
func (m *membership) fetch(stop context.Context, wg *sync.WaitGroup) {
	wg.Go(func() { m.janitor.run(stop) })
	if m.pending != nil {
		wg.Go(func() { m.pending.claimer.run(stop) })
	}
}

// keep implements backing.
func (m *membership) keep(work context.Context) {
	work, m.stop = context.WithCancel(work)
	if m.lease != nil {
		m.keeping.Go(func() { m.lease.run(work, m.member, m.loseName) })
	}
	if p := m.pending; p != nil {
		m.keeping.Go(func() { p.heartbeat.run(work) })
		p.keep(work)
	}
}

// releaseBuffer implements backing.
func (m *membership) releaseBuffer(ctx context.Context) {
	if m.pending == nil {
		return
	}
	if err := m.member.releaseBuffer(ctx); err != nil && ctx.Err() == nil {
		m.member.log.Debug("Could not release entries, will try again at the end", watermill.LogFields{"error": err.Error()})
	}
}

// flush implements backing.
func (m *membership) flush(ctx context.Context) {
	if m.pending != nil {
		m.pending.flush(ctx)
	}
}

// leave implements backing: it removes our consumer too.
func (m *membership) leave(ctx context.Context) {
	m.stop()
	waitFor(ctx, &m.keeping)
	for left := m.tryLeave(ctx); !left && pause(ctx, retryFirst); {
		left = m.tryLeave(ctx)
	}
}

// free implements backing: it ends our right to a configured name.
func (m *membership) free(ctx context.Context) {
	if m.lease != nil {
		_, _ = askOnce(ctx, m.member, func(ctx context.Context) (struct{}, error) { // it expires by itself
			return struct{}{}, m.lease.drop(ctx)
		})
	}
}

func (m *membership) tryLeave(ctx context.Context) bool {
	if m.member.checkName(ctx) != nil {
		return false
	}
	if m.member.ledger.size() > 0 { // in a group that we don't know, nothing of it would be released
		if _, err := m.member.groupReplaced(ctx, m.member.currentEpoch()); err != nil {
			return false
		}
	}
	unsure := m.unsure()
	acked := asSet(unsure)
	held := slices.DeleteFunc(m.member.ledger.all(), func(e *entry) bool { return acked[e.IDText()] })
	counts := m.member.ledger.handedOut(held)
	_, err := askOnce(ctx, m.member, func(ctx context.Context) (int64, error) {
		return m.member.group.Release(ctx, xstream.Giver{Consumer: m.member.name()}, counts)
	})
	var removed bool
	if err == nil {
		f := xstream.Farewell{Unsure: unsure, Claimed: m.member.doubts(), Unseen: m.member.unseen}
		removed, err = askOnce(ctx, m.member, func(ctx context.Context) (bool, error) {
			return m.member.group.Leave(ctx, m.member.name(), f)
		})
	}
	switch {
	case err == nil:
		m.member.log.Debug("Left the group", watermill.LogFields{"held": len(held), "unsure": len(unsure), "removed": removed})
		return true
	case xstream.Classify(err) == xstream.Transient:
		return false
	default: // the group is gone, or we must not
		m.member.log.Debug("Could not leave the group", watermill.LogFields{"error": err.Error()})
		return true
	}
}

// unsure lists what may have been acked.
func (m *membership) unsure() []string {
	if m.pending == nil {
		return nil
	}
	return m.pending.acker.unconfirmed()
}

// confirmName asks whether the configured name is still ours when that is in
// doubt. After a pause of the process, another one may work under it: then what
// we took for ours is pending for that one.
func (m *membership) confirmName(ctx context.Context) error {
	if !m.lease.doubtful() {
		return nil
	}
	held, err := askOnce(ctx, m.member, m.lease.hold)
	if err != nil && xstream.Classify(err) == xstream.Transient {
		return err
	}
	if err == nil && !held {
		m.loseName()
	}
	return nil
}

// loseName goes on under another name: what was ours under the old one belongs
// to whoever has it now.
func (m *membership) loseName() {
	if !m.lease.lose() {
		return
	}
	m.member.rename(m.lease.substitute())
	for _, e := range m.member.ledger.all() {
		m.member.lost(e, ErrLeaseLost)
	}
}

// startTimeout bounds what Subscribe waits for.
const startTimeout = 10 * time.Second
