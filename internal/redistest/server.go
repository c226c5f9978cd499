package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// startTimeout covers the loading of an append-only file on a busy machine.
	startTimeout = 30 * time.Second
	// startPorts is how many ports Run tries before it gives up.
	startPorts = 10
)

// errPortTaken reports that the server could not listen on its port.
var errPortTaken = errors.New("port is taken")

// A Server is a server process on a port and in a directory of its own, which both outlive the
// process: after [Server.Kill] the [Server.Restart] finds the same address and data. All methods
// may be called from several goroutines.
type Server struct {
	binary   string
	dir      string
	port     int
	settings settings
	pid      pidFile
	front    *front // nil = none

	mu       sync.Mutex     // held while a process starts or ends; guards the start of children
	children sync.WaitGroup // one goroutine for each process that spawn started
}

// Start starts a server that ends with the test, in whatever state the test left it. A machine
// without a server fails the test.
func Start(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	s, err := Run(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Stop)
	return s
}

// Run starts a server for a caller that has no test at hand, like TestMain, and returns once it
// answers. The caller calls [Server.Stop]. On Linux the server dies with this process even if
// that is killed. One goroutine watches the process until it ends.
func Run(opts ...Option) (*Server, error) {
	ctx, cancel := background(startTimeout)
	defer cancel()
	own := newSettings(opts)
	path, err := findBinary(own.binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		return nil, err
	}
	s := &Server{binary: path, dir: dir, settings: own, pid: pidFile(filepath.Join(dir, "pid"))}
	if err := s.startAnywhere(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// Stop ends the server, paused or not, and removes its directory. Later calls change nothing.
func (s *Server) Stop() {
	ctx, cancel := background(stopTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.crash(ctx); err == nil || errors.Is(err, errNotRunning) {
		s.children.Wait()
	}
	_ = os.RemoveAll(s.dir)
}

// Addr is the address of the server, as host:port.
func (s *Server) Addr() string { return address(s.port) }

// Port is the port of the server. It stays the same for the life of the Server.
func (s *Server) Port() int { return s.port }

// URL is the address of the server as a redis:// URL, or a rediss:// one with [TLS].
func (s *Server) URL() string {
	if s.settings.tls {
		return "rediss://" + s.Addr()
	}
	return "redis://" + s.Addr()
}

// startAnywhere tries other ports for as long as somebody else is faster to take them.
func (s *Server) startAnywhere(ctx context.Context) error {
	err := errPortTaken
	for i := 0; i < startPorts && errors.Is(err, errPortTaken); i++ {
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
		err = s.launch(ctx)
	}
	return err
}

// launch starts the process on its port and waits until it answers.
func (s *Server) launch(ctx context.Context) error {
	if err := s.writeFiles(); err != nil {
		return err
	}
	process, err := spawn(&s.children, s.argv(), s.path("log"), s.pid.forget)
	if err != nil {
		return err
	}
	if err := s.pid.write(process.pid); err != nil {
		return err
	}
	return s.awaitReady(ctx, process)
}

// writeFiles writes what the process reads when it starts.
func (s *Server) writeFiles() error {
	if s.settings.tls {
		if err := writeCertificates(s.dir); err != nil {
			return err
		}
	}
	return os.WriteFile(s.path("redis.conf"), []byte(s.settings.file(s.dir, s.port)), 0o600)
}

// settle sets something now and for all restarts.
func (s *Server) settle(tb testing.TB, key, value string) {
	tb.Helper()
	s.Do(tb, "CONFIG", "SET", key, value)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settings.set(key, value)
	check(tb, s.writeFiles())
}

// awaitReady waits until the process serves commands, or has ended.
func (s *Server) awaitReady(ctx context.Context, process child) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-process.exited:
			s.pid.forget(process.pid) // it may have ended before launch wrote its pid
			return s.diagnose(errors.New("server ended while it started"))
		case <-ctx.Done():
			return s.diagnose(ctx.Err())
		case <-tick.C:
		}
		if s.serves(ctx) {
			return nil
		}
	}
}

// serves reports whether this server is up and has loaded its data. Its file tells it from
// a stranger on a port that this server has just failed to take.
func (s *Server) serves(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if s.Ping(ctx) != nil {
		return false
	}
	reply, err := s.TryDo(ctx, "INFO", "server")
	info, _ := reply.(string)
	return err == nil && sameFile(infoField(info, "config_file"), s.path("redis.conf"))
}

// diagnose adds the log to an error of the start.
func (s *Server) diagnose(cause error) error {
	log, err := os.ReadFile(s.path("log"))
	if err != nil {
		return errors.Join(cause, err)
	}
	if strings.Contains(string(log), "Failed listening on") {
		cause = errors.Join(errPortTaken, cause)
	}
	return fmt.Errorf("%s on %s: %w; its log:\n%s", s.binary, s.Addr(), cause, log)
}

func (s *Server) argv() []string {
	argv := []string{s.binary, s.path("redis.conf")}
	if s.settings.sentinel {
		argv = append(argv, "--sentinel")
	}
	return argv
}

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// sameFile compares by inode, because the name that the server was given may contain links.
func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// background is the context of work that no test owns: TestMain has none, and cleanups run
// after the context of their test has ended.
func background(timeout time.Duration) (context.Context, context.CancelFunc) {
	//nolint:forbidigo // see above
	return context.WithTimeout(context.Background(), timeout)
}
