package claim_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream"
	"github.com/watermill-rueidis/redisstream/internal/redistest"
	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

const (
	stream = "orders"
	group  = "g"
)

// stage is a server with a group that begins with the stream.
type stage struct {
	server *redistest.Server
	group  xstream.Group
}

// newStage starts a server. It reports false where the server refuses CLAIM, as it should where it
// does not know it.
func newStage(t *testing.T, opts ...redistest.Option) (*stage, bool) {
	t.Helper()
	server := redistest.Start(t, opts...)
	server.Do(t, "XGROUP", "CREATE", stream, group, "0", "MKSTREAM")
	_, err := server.TryDo(t.Context(), "XREADGROUP", "GROUP", group, "consumer", "CLAIM", "1000", "STREAMS", stream, ">")
	if err != nil {
		require.ErrorContains(t, err, "syntax error")
		t.Log("the server refuses CLAIM")
		return nil, false
	}
	return &stage{server, xstream.Group{Stream: xstream.Stream{Client: server.Client(t), Key: stream}, Name: group}}, true
}

// add adds messages with the IDs 1-0, 2-0, ….
func (s *stage) add(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		id := strconv.Itoa(i + 1)
		s.server.Do(t, "XADD", stream, id+"-0", redisstream.UUIDField, id, "metadata", "", "payload", id)
	}
}

// read has a consumer read new entries, as the library does.
func (s *stage) read(t *testing.T, consumer string, n int) {
	t.Helper()
	s.server.Do(t, "XREADGROUP", "GROUP", group, consumer, "COUNT", strconv.Itoa(n), "STREAMS", stream, ">")
}

// counts are the delivery counts of what is pending.
func (s *stage) counts(t *testing.T) map[string]int64 {
	t.Helper()
	pending, err := s.group.Pending(t.Context(), xstream.PendingQuery{Count: 1000})
	require.NoError(t, err)
	counts := map[string]int64{}
	for _, p := range pending {
		counts[p.ID.String()] = p.Deliveries
	}
	return counts
}

// claim has a consumer read what has been idle for some time, and returns the IDs.
func (s *stage) claim(t *testing.T, consumer string, minIdle time.Duration) []string {
	t.Helper()
	ids, err := s.tryClaim(t.Context(), consumer, minIdle, "COUNT", "100")
	require.NoError(t, err)
	return ids
}

// tryClaim is claim with options of the read.
func (s *stage) tryClaim(ctx context.Context, consumer string, minIdle time.Duration, options ...string) ([]string, error) {
	args := append([]string{"XREADGROUP", "GROUP", group, consumer}, options...)
	reply, err := s.server.TryDo(ctx, append(args, "CLAIM", millis(minIdle), "STREAMS", stream, ">")...)
	if err != nil || reply == nil {
		return nil, err
	}
	return idsOf(reply)
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// idsOf are those of the entries in the reply to a read of one stream.
func idsOf(reply any) (ids []string, err error) {
	streams, _ := reply.([]any)
	if len(streams) != 1 {
		return nil, fmt.Errorf("a reply of %d streams", len(streams))
	}
	named, _ := streams[0].([]any)
	if len(named) != 2 {
		return nil, fmt.Errorf("a stream of %d parts", len(named))
	}
	entries, _ := named[1].([]any)
	for _, e := range entries {
		parts, _ := e.([]any)
		if len(parts) != 4 { // ID, fields, idle time, deliveries
			return nil, fmt.Errorf("an entry of %d parts", len(parts))
		}
		id, _ := parts[0].(string)
		ids = append(ids, id)
	}
	return ids, nil
}
