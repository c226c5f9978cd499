package contestant

import (
	"time"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream"
)

// Options are the options of a rueidis client of a server.
type Options func(addr string) rueidis.ClientOption

// Default is what rueidis does by itself.
func Default(addr string) rueidis.ClientOption {
	return rueidis.ClientOption{InitAddress: []string{addr}}
}

// Recommended is what the library recommends.
func Recommended(addr string) rueidis.ClientOption { return redisstream.ClientOption(addr) }

// Single has all commands share one connection.
func Single(addr string) rueidis.ClientOption {
	option := Recommended(addr)
	option.PipelineMultiplex = -1
	return option
}

// Delayed is Single with a pause after each flush, so that more commands share a write.
func Delayed(addr string) rueidis.ClientOption {
	option := Single(addr)
	option.MaxFlushDelay = 20 * time.Microsecond
	return option
}
