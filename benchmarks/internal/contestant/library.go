// Package contestant has what is compared: each contestant is a Library that opens connections
// for one round of a case.
package contestant

import (
	"context"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
)

// A Library is one way to publish and to consume.
type Library interface {
	// Open makes the connections for a round, and the topics if they have to be made.
	Open(ctx context.Context, f *bench.Fixture) (*Session, error)
	// Fill puts f.Messages messages into f.Topic.
	Fill(ctx context.Context, f *bench.Fixture, s *Session) error
}
