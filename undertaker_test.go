package redisstream

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// A recovered panic has its stack in the error.
func TestReasonOfADeadLetterIsBounded(t *testing.T) {
	t.Parallel()
	u := &undertaker{added: make(chan struct{}, 1)}
	for _, reason := range []string{strings.Repeat("x", maxReason), "x" + strings.Repeat("€", maxReason)} {
		u.add(&entry{}, epitaph{reason: reason})
	}
	require.Equal(t, strings.Repeat("x", maxReason), u.queue[0].reason)
	require.LessOrEqual(t, len(u.queue[1].reason), maxReason+3)
	require.True(t, utf8.ValidString(u.queue[1].reason))
}
