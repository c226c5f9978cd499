package redisstream

import (
	"context"
	"runtime"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

const (
	// blockTime is how long a read waits for news. It is a push, not a poll: news
	// end it at once, and so does the end of the subscription.
	blockTime = 5 * time.Second
	// groupBlockTime is for reads of a group, which has other means to notice things.
	groupBlockTime = 7500 * time.Millisecond
	// minBlockTime keeps a read from blocking for 0, which means for ever.
	minBlockTime = 10 * time.Millisecond
	// shortBlockTime is for servers that can't end a blocked read for us.
	shortBlockTime = time.Second
	// followBlockTime is for reads without a group: nothing else tells them that the server
	// is silent, or that the stream was replaced, which they look for between two reads.
	followBlockTime = 2 * time.Second
	// interruptEvery is how often a read is unblocked until it has ended: the
	// first attempt may come before the read is blocked.
	interruptEvery = 50 * time.Millisecond
)

// source is where a reader gets entries from: a group, or a whole stream.
type source interface {
	// claim takes over up to room entries that come before new ones, and returns
	// how many it took or may have taken. It admits them itself.
	claim(ctx context.Context, room int) (int, error)
	// read waits for up to room new entries, admits them, and returns how many came. The reply
	// may take slack longer than usual.
	read(ctx context.Context, conn *xstream.Conn, room int, block, slack time.Duration) (int, error)
	// failed is told of a failed read or claim, and may repair what is behind it.
	failed(ctx context.Context, err error)
}

// reader is the only one of a subscription's goroutines that makes entries ours,
// so nothing can slip between two that do.
type reader struct {
	blocking
	source source
	ledger *ledger
	log    logger
	block  time.Duration
	// appetite is run's own, and that of the source in its calls.
	appetite *appetite
	switches bool // the client may go over to another server without a word
	patient  bool // the last read had no answer in time; run's own
}

func newReader(s xstream.Stream, src source, l *ledger, a *appetite, log logger) *reader {
	return &reader{blocking: blocking{stream: s, done: make(chan struct{})}, source: src, ledger: l, appetite: a, log: log, block: blockTime, switches: xstream.IsSwitched(s.Client)}
}

// run reads until ctx ends. A blocked read is not cancelled with ctx but ended
// by the server, so that what it has assigned to us arrives.
func (r *reader) run(ctx context.Context) {
	defer close(r.done)
	defer r.disconnect()
	t := trouble{log: r.log, doing: "read"}
	for ctx.Err() == nil {
		room := r.ledger.room(ctx)
		if room == 0 {
			return
		}
		room = r.appetite.bound(room)
		if err := r.step(ctx, room); err != nil {
			r.disconnect()
			if !t.wait(ctx, err) {
				return
			}
			r.source.failed(ctx, err)
			continue
		}
		t.over()
	}
}

// step makes some entries ours: those that come first, or new ones.
func (r *reader) step(ctx context.Context, room int) error {
	if n, err := r.source.claim(ctx, room); n > 0 || err != nil {
		return r.asked(room, err)
	}
	conn, err := r.connect(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	block := r.block
	if r.switches {
		block = min(block, followBlockTime)
	}
	if !conn.CanUnblock() {
		block = min(block, shortBlockTime)
	}
	slack := block
	block = max(untilTick(block), minBlockTime)
	slack = max(slack-block, 0) // a reply may take as long as ever
	r.hasty.Store(!r.patient)   // else the line may be slow, and a reply takes its time
	r.reading.Store(true)
	defer r.reading.Store(false)
	n, err := r.source.read(context.WithoutCancel(ctx), conn, room, block, slack)
	if n < room {
		// Who waits for what came goes first, because the next read begins with a system call. In
		// front of a backlog that would have to wait itself, for a whole turn of the others.
		runtime.Gosched()
	}
	return r.asked(room, err)
}

// asked notes how a command for so many entries went.
func (r *reader) asked(room int, err error) error {
	gaveUp := r.gaveUp.Swap(false)
	switch {
	case err == nil:
		r.patient = false
		r.appetite.answered()
	case gaveUp, isLate(err):
		r.patient = true
		r.appetite.unanswered(room)
	}
	if gaveUp && err != nil {
		return errSilent
	}
	return err
}
