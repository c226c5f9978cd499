package redisstream

import (
	"context"
	"sync"
)

// A holding as the backing of the subscription that serves its partition.

// fetch implements backing: the reader finds all work by itself.
func (h *holding) fetch(context.Context, *sync.WaitGroup) {}

func (h *holding) keep(work context.Context) { h.settlers.keep(work) }

// releaseBuffer implements backing. The entries stay held, for their counts.
func (h *holding) releaseBuffer(context.Context) { h.ledger.unbuffer() }

func (h *holding) flush(ctx context.Context) { h.settlers.flush(ctx) }

// leave gives the partition back.
func (h *holding) leave(ctx context.Context) {
	if h.tenure.isOver() {
		return
	}
	h.uncount(ctx)
	for {
		_, err := within(ctx, h.terms.timeout(), func(ctx context.Context) (struct{}, error) {
			return struct{}{}, h.lease.Release(ctx)
		})
		if err == nil {
			h.tenure.finish()
			h.log.Debug("Gave a partition back", nil)
			return
		}
		if !pause(ctx, retryFirst) {
			return // its lease will end by itself
		}
	}
}

// uncount takes back the hand-outs that did not happen, so that messages which waited in
// many buffers don't look as if they had failed each time.
func (h *holding) uncount(ctx context.Context) {
	if counts := h.ledger.handedOut(h.ledger.counted()); len(counts) > 0 {
		_, _ = within(ctx, h.terms.timeout(), func(ctx context.Context) ([]int64, error) { // it is not worth a second attempt
			return h.lease.Recount(ctx, counts)
		})
	}
}

func (h *holding) free(context.Context) {}

// gone counts entries that were trimmed or deleted while they were pending.
func (h *holding) gone(ids ...string) {
	if len(ids) > 0 {
		h.log.Error("Entries were trimmed or deleted before they were acked", nil, map[string]any{"entry_ids": ids})
	}
}
