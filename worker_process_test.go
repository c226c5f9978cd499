package redisstream_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
)

// workerEnv makes this test binary a worker process; it holds a worker as JSON.
const workerEnv = "REDISSTREAM_WORKER"

// worker is a process of its own that handles each message in a goroutine of its
// own, fails with some, and dies of others as if by kill -9.
type worker struct {
	Addr, Topic   string
	MinIdle       time.Duration
	MaxInFlight   int
	MaxDeliveries int
	Backoff       time.Duration // a nacked message is returned to the group for so long
	Takes         time.Duration // how long it takes to handle a message
	Nacks         string        // payload that it nacks
	DiesOf        string        // payload in the middle of which it dies
}

// runWorkerProcess does the work of a worker process. It prints a line "<payload>
// <deliveries>" for each message it gets.
func runWorkerProcess() bool {
	raw := os.Getenv(workerEnv)
	if raw == "" {
		return false
	}
	var w worker
	err := json.Unmarshal([]byte(raw), &w)
	if err == nil {
		err = w.main()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func (w worker) main() error {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{w.Addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return err
	}
	config := redisstream.SubscriberConfig{
		Client: client, ConsumerGroup: "g", MinIdle: w.MinIdle, MaxInFlight: w.MaxInFlight, MaxDeliveries: w.MaxDeliveries,
	}
	if w.Backoff > 0 {
		config.NackPolicy, config.NackBackoff = redisstream.ReturnToGroup, func(int) time.Duration { return w.Backoff }
	}
	subscriber, err := redisstream.NewSubscriber(config, nil)
	if err != nil {
		return err
	}
	out, err := subscriber.Subscribe(context.Background(), w.Topic)
	if err != nil {
		return err
	}
	var handlers sync.WaitGroup
	for msg := range out {
		deliveries, _ := redisstream.DeliveryCountFromContext(msg.Context())
		_, _ = fmt.Fprintf(os.Stdout, "%s %d\n", msg.Payload, deliveries)
		handlers.Go(func() { w.handle(msg) })
	}
	handlers.Wait()
	return nil
}

func (w worker) handle(msg *message.Message) {
	switch payload := string(msg.Payload); payload {
	case w.Nacks:
		msg.Nack()
	case w.DiesOf:
		time.Sleep(w.Takes / 2) // the other slots are taken meanwhile
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	default:
		time.Sleep(w.Takes)
		msg.Ack()
	}
}

// start runs the process; lines delivers what it prints and ends with it. It is
// killed at the end of the test at the latest.
func (w worker) start(tb testing.TB) (kill func(), lines <-chan string) {
	tb.Helper()
	raw, err := json.Marshal(w)
	require.NoError(tb, err)
	cmd := exec.Command(os.Args[0]) //nolint:noctx // it is killed at the end of the test
	cmd.Env = append(os.Environ(), workerEnv+"="+string(raw))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	out := make(chan string, 10000)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			out <- scanner.Text()
		}
		_ = cmd.Wait()
		close(out)
	}()
	kill = func() {
		_ = cmd.Process.Kill()
		<-ended
	}
	tb.Cleanup(kill)
	return kill, out
}

// line takes the next line of a worker process, which has to come within the time.
func line(tb testing.TB, lines <-chan string, within time.Duration) string {
	tb.Helper()
	select {
	case l, ok := <-lines:
		require.True(tb, ok, "the process has ended")
		return l
	case <-time.After(within):
		require.FailNow(tb, "the process gets no message")
		return ""
	}
}
