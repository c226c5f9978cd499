package redisstream

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// How a member asks the server.

// silenceTime is how long a server may take to answer a simple question. One that takes
// longer is frozen or gone, and what waits for it had better look for another one.
const silenceTime = 2 * time.Second

// leastSilence is what is no hiccup. With a short MinIdle there is less time for an answer, but
// reads are short then, too.
const leastSilence = time.Second

// isLate reports whether an error means that nothing came in time.
func isLate(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// isSilence reports whether an error means that the server does not answer, or did not until
// the client went over to another one.
func isSilence(err error) bool {
	return isLate(err) || xstream.IsClosed(err) || errors.Is(err, net.ErrClosed)
}

// timeout bounds a command that is not a blocking read. Three renewals have to
// fit between the time an entry is due and the time others may take it.
func (m *member) timeout() time.Duration {
	return min(max(m.minIdle/6, 500*time.Millisecond), 5*time.Second)
}

// ask runs a command of a member with a time-out, notes how it went, and
// restores a group that is gone.
func ask[T any](ctx context.Context, m *member, command func(ctx context.Context) (T, error)) (T, error) {
	return askWithin(ctx, m, m.timeout(), command)
}

// askPatiently is ask with some more time than usual.
func askPatiently[T any](ctx context.Context, m *member, slack time.Duration, command func(ctx context.Context) (T, error)) (T, error) {
	return askWithin(ctx, m, m.timeout()+slack, command)
}

// askWithin is ask with a time-out of its own.
func askWithin[T any](ctx context.Context, m *member, timeout time.Duration, command func(ctx context.Context) (T, error)) (T, error) {
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
	if err != nil && isSilence(err) && (!isLate(err) || time.Since(sent) >= leastSilence) {
		wake(m.silence)
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
