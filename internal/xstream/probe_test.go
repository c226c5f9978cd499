package xstream

import (
	"strings"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

func TestProbeNamesTheMissingRight(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for command, denied := range map[string]string{
		"": "", "xreadgroup": "-xreadgroup", "xpending": "-xpending", "xack": "-xack", "xclaim": "-xclaim",
		"xgroup|delconsumer": "-xgroup|delconsumer", "xinfo|consumers": "-xinfo|consumers",
	} {
		args := []string{"ACL", "SETUSER", "u" + command, "on", ">secret", "~*", "+@all"}
		server.Do(t, append(args, strings.Fields(denied)...)...)
		s := newStream(t, server, func(o *rueidis.ClientOption) { o.Username, o.Password = "u"+command, "secret" })
		err := Group{Stream: s, Name: "g"}.Probe(t.Context())
		if command == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "NOPERM")
		require.ErrorContains(t, err, command)
		require.Equal(t, Refused, Classify(err))
	}
	require.Equal(t, int64(0), server.Do(t, "DBSIZE"), "it leaves nothing behind")
}

func TestProbeWithoutAServer(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	s.Client.Close()
	require.ErrorIs(t, Group{Stream: s, Name: "g"}.Probe(t.Context()), rueidis.ErrClosing)
}
