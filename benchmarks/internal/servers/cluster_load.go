package servers

import (
	"context"
	"errors"
	"strconv"
	"time"
)

// Load is what a master has done.
type Load struct {
	CPU   time.Duration
	Calls int64
	Bytes int64 // received and sent
}

// Since is what was done after an earlier time.
func (l Load) Since(before Load) Load {
	return Load{CPU: l.CPU - before.CPU, Calls: l.Calls - before.Calls, Bytes: l.Bytes - before.Bytes}
}

// Loads asks each master what it has done so far.
func (c *Cluster) Loads(ctx context.Context) ([]Load, error) {
	loads := make([]Load, len(c.Masters))
	for i, master := range c.Masters {
		var err error
		if loads[i], err = master.load(ctx); err != nil {
			return nil, err
		}
	}
	return loads, nil
}

func (r *Redis) load(ctx context.Context) (Load, error) {
	stats, err := r.Stats(ctx)
	if err != nil {
		return Load{}, err
	}
	info, err := r.info(ctx, "stats")
	if err != nil {
		return Load{}, err
	}
	in, errIn := strconv.ParseInt(info["total_net_input_bytes"], 10, 64)
	out, errOut := strconv.ParseInt(info["total_net_output_bytes"], 10, 64)
	cpu, errCPU := r.CPU(ctx)
	return Load{CPU: cpu, Calls: stats.Total().Calls, Bytes: in + out}, errors.Join(errIn, errOut, errCPU)
}
