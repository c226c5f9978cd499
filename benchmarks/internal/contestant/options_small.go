package contestant

import (
	"time"

	"github.com/redis/rueidis"
)

// Small is Recommended with connections that hold a tenth of the memory and are looked at less
// often, for processes of many subscriptions.
func Small(addr string) rueidis.ClientOption {
	option := Recommended(addr)
	option.Dialer.KeepAlive = 5 * time.Second
	option.RingScaleEachConn = 8
	option.ReadBufferEachConn = 64 << 10
	option.WriteBufferEachConn = 8 << 10
	return option
}
