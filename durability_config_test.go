package redisstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDurabilityDefaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ given, want Durability }{
		{},
		{Durability{Replicas: 2}, Durability{Replicas: 2, Timeout: time.Second}},
		{Durability{Local: true}, Durability{Local: true, Timeout: 3 * time.Second}},
		{Durability{Local: true, Replicas: 1}, Durability{Local: true, Replicas: 1, Timeout: 3 * time.Second}},
		{Durability{Replicas: 1, Timeout: 5}, Durability{Replicas: 1, Timeout: 5}},
	} {
		require.Equal(t, c.want, PublisherConfig{Durability: c.given}.withDefaults().Durability)
	}
}

func TestBadDurability(t *testing.T) {
	t.Parallel()
	const replicas, timeout = "PublisherConfig.Durability.Replicas", "PublisherConfig.Durability.Timeout"
	for name, c := range map[string]struct {
		given  Durability
		fields []string
	}{
		"nobody is waited for":      {Durability{Timeout: time.Second}, []string{timeout}},
		"negative":                  {Durability{Replicas: -1, Timeout: -1}, []string{replicas, timeout}},
		"for ever, to the server":   {Durability{Replicas: 1, Timeout: time.Millisecond - 1}, []string{timeout}},
		"negative time":             {Durability{Local: true, Timeout: -time.Second}, []string{timeout}},
		"nearly for ever":           {Durability{Replicas: 1, Timeout: time.Minute + 1}, []string{timeout}},
		"negative, and in the file": {Durability{Replicas: -1, Local: true}, []string{replicas}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := NewPublisher(PublisherConfig{Client: noClient{}, Durability: c.given}, nil)
			requireBad(t, err, c.fields...)
		})
	}
	_, err := NewPublisher(PublisherConfig{Client: noClient{}, Durability: Durability{Replicas: 1, Timeout: time.Millisecond}}, nil)
	require.NoError(t, err)
}
