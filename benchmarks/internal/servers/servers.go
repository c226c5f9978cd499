// Package servers starts the private servers of a run, and asks them what the contestants do not
// say. They listen on the loopback, write to temporary directories and die with the process.
package servers

import (
	"context"
	"errors"
)

// Servers are what the contestants talk to. Redis persists nothing.
type Servers struct {
	Redis *Redis
	NATS  *NATS
}

// Start returns once both servers answer. They end with Stop, and NATS at the latest with the
// context.
func Start(ctx context.Context) (*Servers, error) {
	redis, err := startRedis(ctx)
	if err != nil {
		return nil, err
	}
	nats, err := startNATS(ctx)
	if err != nil {
		redis.stop()
		return nil, err
	}
	return &Servers{Redis: redis, NATS: nats}, nil
}

// Stop ends both servers and removes their directories.
func (s *Servers) Stop() {
	s.NATS.stop()
	s.Redis.stop()
}

// Reset empties both servers.
func (s *Servers) Reset(ctx context.Context) error {
	return errors.Join(s.Redis.reset(ctx), s.NATS.reset())
}
