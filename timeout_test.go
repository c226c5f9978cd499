package redisstream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// wait returns after how long a timeout passes.
func (t *timeout) wait() time.Duration {
	began := time.Now()
	<-t.passed()
	t.over()
	return time.Since(began)
}

func TestTimeoutPassesAtTheEarliestTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o timeout
		require.Nil(t, o.passed(), "it is not set")
		o.set(time.Now().Add(2 * time.Second))
		o.set(time.Now().Add(time.Second))
		o.set(time.Now().Add(3 * time.Second))
		require.Equal(t, time.Second, o.wait())
		o.set(time.Now().Add(3 * time.Second))
		require.Equal(t, 3*time.Second, o.wait(), "it was set anew")
		o.set(time.Now().Add(-time.Second))
		require.Equal(t, minTimeout, o.wait())
		o.start(time.Second)
		o.start(time.Millisecond)
		require.Equal(t, time.Second, o.wait(), "it had been started")
		o.start(time.Millisecond)
		require.Equal(t, time.Millisecond, o.wait())
	})
}
