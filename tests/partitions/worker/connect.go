package main

import (
	"context"
	"net"
	"os"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// retryPause is how long a program waits before it tries again what it needs to begin.
const retryPause = 100 * time.Millisecond

// connect tries until it has a client or the process is asked to end: rueidis connects when a
// client is made, and the server may be away then.
func connect(ctx context.Context, t task.Task) (rueidis.Client, error) {
	for {
		client, err := rueidis.NewClient(rueidis.ClientOption{
			InitAddress:       []string{t.Addr},
			Dialer:            net.Dialer{Timeout: task.Patience, KeepAlive: task.Patience},
			ConnWriteTimeout:  task.Patience,
			DisableCache:      true,
			ForceSingleClient: true,
		})
		if err == nil {
			return client, nil
		}
		if !pause(ctx, retryPause) {
			return nil, err
		}
	}
}

// pause reports false when the context has ended before the time is over.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// debugVariable is the environment variable that has the library log everything.
const debugVariable = "PARTITIONS_DEBUG"

func logger() watermill.LoggerAdapter {
	return watermill.NewStdLoggerWithOut(os.Stderr, os.Getenv(debugVariable) != "", false)
}
