package servers

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"
)

const (
	// takeBatch is how many entries Take reads at once.
	takeBatch = 10_000
	// holdBatch is how many entries Hold renews with one command.
	holdBatch = 1000
)

// CreateGroup makes a group that starts behind what the stream has.
func (r *Redis) CreateGroup(ctx context.Context, stream, group string) error {
	return r.client.Do(ctx, r.client.B().XgroupCreate().Key(stream).Group(group).Id("$").Mkstream().Build()).Error()
}

// Take reads n new entries for a consumer, so that they are pending for it, and returns their IDs.
func (r *Redis) Take(ctx context.Context, stream, group, consumer string, n int) ([]string, error) {
	ids := make([]string, 0, n)
	for len(ids) < n {
		read := r.client.B().Xreadgroup().Group(group, consumer).Count(int64(min(takeBatch, n-len(ids)))).
			Streams().Key(stream).Id(">").Build()
		found, err := r.client.Do(ctx, read).AsXReadSlices()
		if rueidis.IsRedisNil(err) {
			return nil, errFewer
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range found[stream] {
			ids = append(ids, entry.ID)
		}
	}
	return ids, nil
}

// Hold makes all of a consumer's entries as fresh as if they had just been read.
func (r *Redis) Hold(ctx context.Context, stream, group, consumer string, ids []string) error {
	for len(ids) > 0 {
		n := min(holdBatch, len(ids))
		claim := r.client.B().Xclaim().Key(stream).Group(group).Consumer(consumer).MinIdleTime("0").Id(ids[:n]...).Justid().Build()
		if err := r.client.Do(ctx, claim).Error(); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// ShowAlive makes a consumer look alive, with a command that neither ours nor the others use: it
// claims what nobody has left for a day, and looks at ten entries for it.
func (r *Redis) ShowAlive(ctx context.Context, stream, group, consumer string) error {
	const day = 24 * 60 * 60 * 1000
	return r.client.Do(ctx, r.client.B().Xautoclaim().Key(stream).Group(group).Consumer(consumer).
		MinIdleTime(strconv.Itoa(day)).Start("0").Count(1).Justid().Build()).Error()
}

// ShowAliveCommand is the command of ShowAlive, as the statistics call it.
const ShowAliveCommand = "xautoclaim"
