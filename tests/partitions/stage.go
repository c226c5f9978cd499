package partitions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// stage is where a round takes place: a server, processes, and a line between the server and
// each of them.
type stage struct {
	tb     testing.TB
	dir    string
	server *redistest.Server
	home   string // the server's directory
	topic  string
	slots  map[string]*slot
	log    *history.Log

	work sync.WaitGroup // one goroutine for each process, and the watchdog
	rest context.CancelFunc

	mu       sync.Mutex // protects the following field
	troubles []string
}

// adminTimeout is how long the server may take for a command of the runner.
const adminTimeout = 10 * time.Second

// newStage starts a server. All that it starts ends with the test.
func newStage(tb testing.TB, dir, topic string) (*stage, error) {
	tb.Helper()
	s := &stage{tb: tb, dir: dir, topic: topic, slots: map[string]*slot{}}
	log, err := history.Open(filepath.Join(dir, "runner"+history.Extension), func(err error) { s.trouble("%v", err) })
	if err != nil {
		return nil, err
	}
	s.log = log
	s.server = redistest.Start(tb,
		redistest.AppendOnly("always"),
		redistest.Config("auto-aof-rewrite-percentage", "0"),
		redistest.Config("maxmemory-policy", "noeviction"),
	)
	watching, rest := context.WithCancel(tb.Context())
	s.rest = rest
	s.work.Go(func() { task.Watch(watching, "", log) })
	s.work.Go(func() { s.watchServer(watching) })
	tb.Cleanup(s.strike)
	s.note(history.Event{Kind: task.Clock, Epoch: time.Now().UnixMilli()})
	reply, err := s.ask("CONFIG", "GET", "dir")
	if err != nil {
		return nil, err
	}
	pair, _ := reply.([]any)
	s.home = toMap(pair)["dir"]
	return s, nil
}

const (
	// watchEvery is how often the server is asked for a sign of life.
	watchEvery = 20 * time.Millisecond
	// slowFrom is what is written down of its answers.
	slowFrom = 50 * time.Millisecond
)

// watchServer writes down when the server got no time, as it does of the processes. What happens
// to it by plan is seen, too.
func (s *stage) watchServer(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		begin := history.Now()
		_ = s.server.Ping(ctx) // it may be away
		if took := time.Duration(history.Now() - begin); took > slowFrom {
			s.note(history.Event{Kind: task.Stalled, Process: history.Server, Text: took.String()})
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// keep copies the server's log and its append-only file, which has each write that was done, to
// the other files: they go with the server.
func (s *stage) keep() error {
	files, err := filepath.Glob(filepath.Join(s.home, "appendonlydir", "*.incr.aof"))
	for _, path := range append(files, filepath.Join(s.home, "log")) {
		text, readErr := os.ReadFile(path)
		writeErr := os.WriteFile(filepath.Join(s.dir, "server-"+filepath.Base(path)), text, 0o600)
		err = errors.Join(err, readErr, writeErr)
	}
	return err
}

// strike ends all processes, in whatever state they are. It is called before the end of the
// server and the proxies, which were there first or end by themselves.
func (s *stage) strike() {
	for _, slot := range s.slots {
		_ = slot.stop(syscall.SIGKILL)
		for _, p := range slot.processes() {
			_ = p.signal(syscall.SIGKILL)
		}
	}
	s.rest()
	s.work.Wait()
	_ = s.log.Close()
}

// place makes a slot.
func (s *stage) place(name, binary string, t task.Task) *slot {
	s.tb.Helper()
	proxy := redistest.NewProxy(s.tb, s.server.Addr())
	t.Addr, t.Topic = proxy.Addr(), s.topic
	s.slots[name] = &slot{stage: s, name: name, binary: binary, task: t, proxy: proxy}
	return s.slots[name]
}

// some are those of the slots for which a condition holds, in the order of their names.
func (s *stage) some(which func(*slot) bool) []*slot {
	var out []*slot
	for _, name := range slices.Sorted(maps.Keys(s.slots)) {
		if which(s.slots[name]) {
			out = append(out, s.slots[name])
		}
	}
	return out
}

func (s *stage) note(e history.Event) { s.log.Add(e) }

// trouble is what makes a round fail without a look at its history.
func (s *stage) trouble(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubles = append(s.troubles, fmt.Sprintf(format, args...))
}

func (s *stage) allTroubles() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.troubles)
}

// ask sends a command as an operator does, past all proxies.
func (s *stage) ask(args ...string) (any, error) {
	ctx, cancel := context.WithTimeout(s.tb.Context(), adminTimeout)
	defer cancel()
	return s.server.TryDo(ctx, args...)
}

// try is ask for a server that may be away. One that is stopped may get to it later.
func (s *stage) try(args ...string) {
	const patience = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(s.tb.Context(), patience)
	defer cancel()
	_, _ = s.server.TryDo(ctx, args...) // see above
}

// await polls until the condition holds, and reports false if it did not in time.
func (s *stage) await(atMost time.Duration, condition func() bool) bool {
	const every = 20 * time.Millisecond
	timeout := time.NewTimer(atMost)
	defer timeout.Stop()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-timeout.C:
			return condition()
		case <-s.tb.Context().Done():
			return false
		}
	}
	return true
}

// pass lets time pass, and reports false when the test has ended.
func (s *stage) pass(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.tb.Context().Done():
		return false
	}
}
