package redisstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBufferIsReleasedBeforeOthersMayTakeIt(t *testing.T) {
	t.Parallel()
	for minIdle, want := range map[time.Duration]time.Duration{
		time.Second: 500 * time.Millisecond, 2 * time.Second: time.Second, time.Minute: time.Second,
	} {
		h := &heartbeat{member: &member{minIdle: minIdle}}
		require.Equal(t, want, h.patience())
	}
}
