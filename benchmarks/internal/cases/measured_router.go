package cases

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
)

// measuredRouter is a router with the defaults.
type measuredRouter struct{ *message.Router }

func newRouter() (measuredRouter, error) {
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	return measuredRouter{router}, err
}

// measure runs the router until the countdown is over. Its end, which closes the session's sides
// too, is not part of the values.
func (r measuredRouter) measure(ctx context.Context, f *bench.Fixture, until *countdown) ([]float64, error) {
	ended := make(chan error, 1) // whoever runs the router does not wait for the reader
	start := f.Start()
	go func() { ended <- r.Run(ctx) }()
	var values []float64
	select {
	case <-until.zero:
		values = f.PerMessage(start)
	case <-ctx.Done():
	}
	errs := []error{ctx.Err(), r.Close(), <-ended}
	return values, errors.Join(errs...)
}
