package redisstream_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// A consumer in a process of its own, which a test can kill or stop: this test
// binary, started again with what to do in its environment.
const (
	helperAddr        = "REDISSTREAM_HELPER_ADDR" // presence makes the process a helper
	helperTopic       = "REDISSTREAM_HELPER_TOPIC"
	helperGroup       = "REDISSTREAM_HELPER_GROUP"
	helperMinIdle     = "REDISSTREAM_HELPER_MIN_IDLE"
	helperMaxInFlight = "REDISSTREAM_HELPER_MAX_IN_FLIGHT"
	helperAck         = "REDISSTREAM_HELPER_ACK"  // how many messages to ack before hanging with the next one
	helperHold        = "REDISSTREAM_HELPER_HOLD" // how long to hang; then all is acked
	helperConsumer    = "REDISSTREAM_HELPER_CONSUMER"
	helperDeliveries  = "REDISSTREAM_HELPER_MAX_DELIVERIES"
	helperBuffer      = "REDISSTREAM_HELPER_BUFFER" // how many have to wait behind the one to hang with; else more are acked
)

// runHelperProcess does the work of a helper process. It prints a line
// "<payload> <deliveries>" for each message it gets, and hungLine when it hangs.
func runHelperProcess() bool {
	addr := os.Getenv(helperAddr)
	if addr == "" {
		return false
	}
	if err := helperMain(addr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func helperMain(addr string) error {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return err
	}
	minIdle, err := time.ParseDuration(os.Getenv(helperMinIdle))
	if err != nil {
		return err
	}
	maxInFlight, err := strconv.Atoi(os.Getenv(helperMaxInFlight))
	if err != nil {
		return err
	}
	acks, err := strconv.Atoi(os.Getenv(helperAck))
	if err != nil {
		return err
	}
	hold, err := time.ParseDuration(os.Getenv(helperHold))
	if err != nil {
		return err
	}
	maxDeliveries, err := strconv.Atoi(os.Getenv(helperDeliveries))
	if err != nil {
		return err
	}
	subscriber, err := redisstream.NewSubscriber(redisstream.SubscriberConfig{
		Client: client, ConsumerGroup: os.Getenv(helperGroup), MinIdle: minIdle, MaxInFlight: maxInFlight,
		Consumer: os.Getenv(helperConsumer), MaxDeliveries: maxDeliveries,
	}, nil)
	if err != nil {
		return err
	}
	out, err := subscriber.Subscribe(context.Background(), os.Getenv(helperTopic))
	if err != nil {
		return err
	}
	buffer, err := strconv.Atoi(os.Getenv(helperBuffer))
	if err != nil {
		return err
	}
	for msg := range out {
		deliveries, _ := redisstream.DeliveryCountFromContext(msg.Context())
		_, _ = fmt.Fprintf(os.Stdout, "%s %d\n", msg.Payload, deliveries)
		acks--
		if acks >= 0 {
			msg.Ack()
			continue
		}
		if !becomes(func() bool { return helperBufferIsFull(addr, msg, buffer) }) {
			acks = fillMore
			msg.Ack()
			continue
		}
		_, _ = fmt.Fprintln(os.Stdout, hungLine)
		if hold > 0 {
			time.Sleep(hold)
			acks = math.MaxInt
			msg.Ack()
		}
	}
	return nil
}

const hungLine = "hung 0"

// helperBufferIsFull is bufferIsFull in a helper process.
func helperBufferIsFull(addr string, msg *message.Message, least int) bool {
	reply, err := redistest.At(addr).TryDo(msg.Context(), "XPENDING", os.Getenv(helperTopic), os.Getenv(helperGroup))
	summary, ok := reply.([]any)
	if err != nil || !ok {
		return false
	}
	n, _ := summary[0].(int64)
	id, _ := redisstream.EntryIDFromContext(msg.Context())
	return least == 0 || n > int64(least) && summary[1] == id
}

// helper describes a helper process.
type helper struct {
	addr, topic, group string
	minIdle            time.Duration
	maxInFlight        int
	acks               int
	hold               time.Duration
	consumer           string
	buffer             int
	maxDeliveries      int
}

// untilHung takes the lines of a helper process until it hangs, and returns the
// payloads.
func untilHung(tb testing.TB, lines <-chan string) (payloads []string) {
	tb.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case line, ok := <-lines:
			require.True(tb, ok, "the process lives")
			if line == hungLine {
				return payloads
			}
			payload, _, _ := strings.Cut(line, " ")
			payloads = append(payloads, payload)
		case <-timeout:
			require.FailNow(tb, "the process gets no messages")
		}
	}
}

// start runs the process; lines delivers what it prints. It is killed at the end
// of the test at the latest.
func (h helper) start(tb testing.TB) (cmd *exec.Cmd, lines <-chan string) {
	tb.Helper()
	cmd = exec.Command(os.Args[0]) //nolint:noctx // it is killed at the end of the test
	cmd.Env = append(os.Environ(),
		helperAddr+"="+h.addr, helperTopic+"="+h.topic, helperGroup+"="+h.group,
		helperMinIdle+"="+h.minIdle.String(), helperMaxInFlight+"="+strconv.Itoa(max(h.maxInFlight, 1)),
		helperAck+"="+strconv.Itoa(h.acks), helperHold+"="+h.hold.String(), helperConsumer+"="+h.consumer,
		helperBuffer+"="+strconv.Itoa(h.buffer), helperDeliveries+"="+strconv.Itoa(h.maxDeliveries),
	)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	out := make(chan string, 10000)
	go func() {
		defer close(out)
		var payload, deliveries string
		for {
			if _, err := fmt.Fscanln(stdout, &payload, &deliveries); err != nil {
				return
			}
			out <- payload + " " + deliveries
		}
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, out
}
