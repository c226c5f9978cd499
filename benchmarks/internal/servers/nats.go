package servers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	natsBinary       = "nats-server"
	natsStartTimeout = 30 * time.Second
	natsStartPoll    = 5 * time.Millisecond
	// natsWindow is how many messages of a fill may wait for their acks.
	natsWindow = 4000
)

// NATS is a nats-server with JetStream. The connection is none of the contestants'.
type NATS struct {
	dir     string
	url     string
	process *process
	conn    *nats.Conn
	js      nats.JetStreamContext
}

func startNATS(ctx context.Context) (*NATS, error) {
	binary, err := exec.LookPath(natsBinary)
	if err != nil {
		return nil, fmt.Errorf("%w (scripts/ensure-nats.sh installs it)", err)
	}
	dir, err := os.MkdirTemp("", "natstest")
	if err != nil {
		return nil, err
	}
	n := &NATS{dir: dir}
	if err := n.launch(ctx, binary); err != nil {
		log, _ := os.ReadFile(n.path("log")) // the error counts, with or without it
		n.stop()
		return nil, fmt.Errorf("%s: %w; its log:\n%s", natsBinary, err, log)
	}
	return n, nil
}

func (n *NATS) launch(ctx context.Context, binary string) error {
	config := fmt.Sprintf(`listen: "127.0.0.1:-1"
ports_file_dir: %q
log_file: %q
jetstream { store_dir: %q, max_memory_store: 8GB }
`, n.dir, n.path("log"), n.path("jetstream"))
	if err := os.WriteFile(n.path("nats.conf"), []byte(config), 0o600); err != nil {
		return err
	}
	var err error
	if n.process, err = spawn(ctx, binary, "-c", n.path("nats.conf")); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, natsStartTimeout)
	defer cancel()
	if n.url, err = n.awaitPort(ctx); err != nil {
		return err
	}
	if n.conn, err = nats.Connect(n.url); err != nil {
		return err
	}
	if n.js, err = n.conn.JetStream(nats.PublishAsyncMaxPending(natsWindow)); err != nil {
		return err
	}
	_, err = n.js.AccountInfo(nats.Context(ctx))
	return err
}

// awaitPort waits for the file in which the server says where it listens. It takes a free port
// by itself.
func (n *NATS) awaitPort(ctx context.Context) (string, error) {
	tick := time.NewTicker(natsStartPoll)
	defer tick.Stop()
	for {
		if url, err := n.port(); err == nil {
			return url, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-n.process.exited:
			return "", errors.New("it ended while it started")
		case <-tick.C:
		}
	}
}

func (n *NATS) port() (string, error) {
	text, err := os.ReadFile(n.path(fmt.Sprintf("%s_%d.ports", natsBinary, n.process.pid)))
	if err != nil {
		return "", err
	}
	var ports struct {
		NATS []string `json:"nats"`
	}
	if err := json.Unmarshal(text, &ports); err != nil {
		return "", err
	}
	if len(ports.NATS) == 0 {
		return "", errors.New("no port yet")
	}
	return ports.NATS[0], nil
}

func (n *NATS) stop() {
	if n.conn != nil {
		n.conn.Close()
	}
	if n.process != nil {
		n.process.stop()
	}
	_ = os.RemoveAll(n.dir)
}

func (n *NATS) path(name string) string { return filepath.Join(n.dir, name) }

// URL is where the server listens.
func (n *NATS) URL() string { return n.url }

// Version is what the server says it is.
func (n *NATS) Version() string { return "NATS " + n.conn.ConnectedServerVersion() }
