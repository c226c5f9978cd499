package redisstream

import (
	"math/rand/v2"
	"time"
)

// phase is when the ticks of this process are: another time than those of others.
var phase = rand.N(time.Hour) //nolint:gochecknoglobals // one for all, so that they come together

// untilTick is the time to the next of the ticks that all subscriptions of a process
// have in common. What many of them do now and then they do at the same time, because
// to wake a process up costs more than the little it has to do.
func untilTick(period time.Duration) time.Duration {
	return period - (time.Duration(time.Now().UnixNano())+phase)%period
}
