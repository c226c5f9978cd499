package redisstream

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// randomName is a consumer name that nobody else has: the start of the host's
// name, the process, and chance. Redis repeats it for each entry in its log and
// to its replicas, so it is kept to 24 bytes.
func randomName() string {
	host, _ := os.Hostname()
	return host[:min(len(host), 7)] + "-" + strconv.FormatInt(int64(os.Getpid()&0xffffff), 36) + "-" + randomHex(5)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// nameLease is the right to use a configured consumer name. Under one name, two
// processes would take each other's entries for their own.
type nameLease struct {
	stream xstream.Stream
	key    string
	token  string
	name   string // the configured one
	ttl    time.Duration
	log    logger

	mu      sync.Mutex // protects the following fields
	renewed time.Time
	lost    bool
}

// hold takes or renews the lease, and reports whether we may use the name.
func (l *nameLease) hold(ctx context.Context) (bool, error) {
	sent := time.Now()
	holder, err := l.stream.Hold(ctx, l.key, l.token, strconv.FormatInt(l.ttl.Milliseconds(), 10))
	if err != nil {
		return false, err
	}
	if holder == "" {
		l.mu.Lock()
		l.renewed = sent
		l.mu.Unlock()
	} else {
		l.log.Error("The configured consumer name is in use, working under another one", nil, watermill.LogFields{
			"consumer": l.name, "held_by": holder,
		})
	}
	return holder == "", nil
}

// doubtful reports whether somebody else may have the name by now.
func (l *nameLease) doubtful() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lost && time.Since(l.renewed) > l.ttl*2/3
}

// lose gives the name up, and reports false if that was done before.
func (l *nameLease) lose() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.lost
	l.lost = true
	return !before
}

func (l *nameLease) isLost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// substitute is the name to use without the lease.
func (l *nameLease) substitute() string { return l.name + "~" + randomHex(5) }

// run renews the lease until ctx ends, or somebody else has it.
func (l *nameLease) run(ctx context.Context, m *member, lost func()) {
	t := trouble{log: l.log, doing: "renew the right to the consumer's name"}
	for pause(ctx, l.ttl/6) && !l.isLost() {
		held, err := askOnce(ctx, m, l.hold)
		switch {
		case err != nil:
			t.failures++
			t.report(err)
		case !held:
			lost()
			return
		default:
			t.over()
		}
	}
}

// drop gives the name free.
func (l *nameLease) drop(ctx context.Context) error {
	return l.stream.Drop(ctx, l.key, l.token)
}
