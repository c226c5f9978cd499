package redisstream

import (
	"context"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// How a member asks the server.

// timeout bounds a command that is not a blocking read. Three renewals have to
// fit between the time an entry is due and the time others may take it.
func (m *member) timeout() time.Duration {
	return min(max(m.minIdle/6, 500*time.Millisecond), 5*time.Second)
}

// ask runs a command of a member with a time-out, notes how it went, and
// restores a group that is gone.
func ask[T any](ctx context.Context, m *member, command func(ctx context.Context) (T, error)) (T, error) {
	return askPatiently(ctx, m, 0, command)
}

// askPatiently is ask with some more time than usual.
func askPatiently[T any](ctx context.Context, m *member, slack time.Duration, command func(ctx context.Context) (T, error)) (T, error) {
	timeout := m.timeout() + slack
	if err := m.checkName(ctx); err != nil {
		var none T
		return none, err
	}
	epoch := m.currentEpoch()
	reply, err := askFor(ctx, m, timeout, command)
	if err == nil || xstream.Classify(err) != xstream.NoGroup {
		return reply, err
	}
	if err := m.restore(ctx, epoch); err != nil {
		return reply, err
	}
	return askFor(ctx, m, timeout, command)
}

// askOnce is ask without a second chance. It returns when ctx ends, whatever the
// client does: rueidis may sit out a deadline, or wait for somebody else's dial.
func askOnce[T any](ctx context.Context, m *member, command func(ctx context.Context) (T, error)) (T, error) {
	return askFor(ctx, m, m.timeout(), command)
}

// askFor is askOnce with a time-out of its own.
func askFor[T any](ctx context.Context, m *member, timeout time.Duration, command func(ctx context.Context) (T, error)) (T, error) {
	sent := time.Now()
	reply, err := within(ctx, timeout, command)
	m.noteAnswer(sent, err)
	return reply, err
}

// noteAnswer tells health how a command went, as far as it says anything of that.
func (m *member) noteAnswer(sent time.Time, err error) {
	if err == nil || xstream.Classify(err) == xstream.Transient {
		m.health.note(sent, err)
	}
}

// within runs a command, and returns when the time is over, whatever the command does.
func within[T any](ctx context.Context, timeout time.Duration, command func(ctx context.Context) (T, error)) (T, error) {
	type answer struct {
		reply T
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	answered := make(chan answer, 1) // so that a late answer finds nobody and no harm is done
	go func() {
		defer cancel()
		reply, err := command(ctx)
		answered <- answer{reply, err}
	}()
	var a answer
	select {
	case a = <-answered:
	case <-ctx.Done():
		select {
		case a = <-answered:
		default:
			a.err = ctx.Err()
		}
	}
	return a.reply, a.err
}
