package redisstream

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHealthStartsOverAfterTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHealth(2 * time.Second)
		require.Zero(t, h.age(), "at the start nothing is known of what was before")
		time.Sleep(time.Minute)
		require.Equal(t, time.Minute, h.age())

		h.note(time.Now(), nil)
		h.note(time.Now().Add(-2*time.Second+1), nil)
		require.Equal(t, time.Minute, h.age(), "an answer in time changes nothing")

		h.note(time.Now().Add(-2*time.Second), nil)
		require.Zero(t, h.age(), "a late answer is an outage that is over")

		time.Sleep(time.Minute)
		h.note(time.Now(), errors.New("refused"))
		require.Zero(t, h.age(), "an outage")
		time.Sleep(time.Second)
		require.Equal(t, time.Second, h.age())
	})
}
