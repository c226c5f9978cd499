package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// stage is where a round takes place: a server, processes, and a line between
// the server and each of them.
type stage struct {
	tb     testing.TB
	dir    string
	server *redistest.Server
	home   string // the server's directory
	topic  string
	slots  map[string]*slot
	log    *history.Log

	work sync.WaitGroup // one goroutine for each process

	mu       sync.Mutex // protects the following field
	troubles []string
}

// The user that all processes log in as, with the rights that the README lists.
const (
	workerUser     = "worker"
	workerPassword = "secret"
	workerRights   = "~%[1]s ~{%[1]s}:* +xadd +multi +exec" +
		" +xgroup|create +xgroup|delconsumer +xreadgroup +xack +xpending +xclaim" +
		" +xinfo|stream +xinfo|groups +xinfo|consumers +eval +evalsha +get +set +del" +
		" +xread +xrange +xdel +xlen +type +client|id +client|unblock +hello +ping"
)

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
		redistest.Config("enable-debug-command", "local"),
		redistest.Config("maxmemory-policy", "noeviction"),
		redistest.Config("user", workerUser+" on >"+workerPassword+" "+fmt.Sprintf(workerRights, topic)),
	)
	tb.Cleanup(s.strike)
	reply, err := s.ask("CONFIG", "GET", "dir")
	if err != nil {
		return nil, err
	}
	pair, _ := reply.([]any)
	s.home = toMap(pair)["dir"]
	return s, nil
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
	s.work.Wait()
	_ = s.log.Close()
}

// add makes a slot and starts its process.
func (s *stage) add(name, binary string, t task.Task) error {
	s.tb.Helper()
	return s.place(name, binary, t).start()
}

// place makes a slot.
func (s *stage) place(name, binary string, t task.Task) *slot {
	s.tb.Helper()
	proxy := redistest.NewProxy(s.tb, s.server.Addr())
	t.Addr, t.User, t.Password, t.Topic = proxy.Addr(), workerUser, workerPassword, s.topic
	s.slots[name] = &slot{stage: s, name: name, binary: binary, task: t, proxy: proxy}
	return s.slots[name]
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
	return s.troubles
}

// admin sends a command as an operator does, past all proxies.
func (s *stage) admin(args ...string) error {
	_, err := s.ask(args...)
	return err
}

func (s *stage) ask(args ...string) (any, error) {
	ctx, cancel := context.WithTimeout(s.tb.Context(), adminTimeout)
	defer cancel()
	return s.server.TryDo(ctx, args...)
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
