package servers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// pollInterval paces the waits for a server. It is small against all that is measured.
const pollInterval = 500 * time.Microsecond

// Redis is a server without persistence. Its own client is none of the contestants'.
type Redis struct {
	server *redistest.Server
	client rueidis.Client
}

func startRedis(ctx context.Context) (*Redis, error) {
	r, err := runRedis()
	if err != nil {
		return nil, err
	}
	if err := r.reset(ctx); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// runRedis starts a server and connects to it.
func runRedis(opts ...redistest.Option) (*Redis, error) {
	server, err := redistest.Run(opts...)
	if err != nil {
		return nil, fmt.Errorf("%w (scripts/ensure-redis.sh installs it)", err)
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{server.Addr()}, DisableCache: true, ForceSingleClient: true, PipelineMultiplex: -1,
	})
	if err != nil {
		server.Stop()
		return nil, err
	}
	return &Redis{server: server, client: client}, nil
}

func (r *Redis) stop() {
	r.client.Close()
	r.server.Stop()
}

// reset frees the memory at once: not in the background, while somebody is measured.
func (r *Redis) reset(ctx context.Context) error {
	return r.client.Do(ctx, r.client.B().Flushall().Sync().Build()).Error()
}

// Addr is the address, as host:port.
func (r *Redis) Addr() string { return r.server.Addr() }

// Version is what the server says it is.
func (r *Redis) Version(ctx context.Context) (string, error) {
	info, err := r.info(ctx, "server")
	if err != nil {
		return "", err
	}
	if version := info["valkey_version"]; version != "" {
		return "Valkey " + version, nil
	}
	return "Redis " + info["redis_version"], nil
}

// CPU is the time that the server has computed so far.
func (r *Redis) CPU(ctx context.Context) (time.Duration, error) {
	info, err := r.info(ctx, "cpu")
	if err != nil {
		return 0, err
	}
	user, errUser := strconv.ParseFloat(info["used_cpu_user"], 64)
	system, errSystem := strconv.ParseFloat(info["used_cpu_sys"], 64)
	return time.Duration((user + system) * float64(time.Second)), errors.Join(errUser, errSystem)
}

// Length is the number of entries of a stream.
func (r *Redis) Length(ctx context.Context, stream string) (int64, error) {
	return r.client.Do(ctx, r.client.B().Xlen().Key(stream).Build()).AsInt64()
}

// AwaitSettled waits until nothing is pending in the group.
func (r *Redis) AwaitSettled(ctx context.Context, stream, group string) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		pending, err := r.pending(ctx, stream, group)
		if err != nil || pending == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d entries are pending: %w", pending, ctx.Err())
		case <-tick.C:
		}
	}
}

func (r *Redis) pending(ctx context.Context, stream, group string) (int64, error) {
	summary, err := r.client.Do(ctx, r.client.B().Xpending().Key(stream).Group(group).Build()).ToArray()
	if err != nil {
		return 0, err
	}
	if len(summary) == 0 {
		return 0, errors.New("XPENDING: an empty reply")
	}
	return summary[0].AsInt64()
}

func (r *Redis) info(ctx context.Context, section string) (map[string]string, error) {
	text, err := r.client.Do(ctx, r.client.B().Info().Section(section).Build()).ToString()
	if err != nil {
		return nil, err
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	return info, nil
}
