package chaos

import (
	"slices"
	"time"

	"github.com/watermill-rueidis/redisstream/tests/chaos/check"
	"github.com/watermill-rueidis/redisstream/tests/chaos/task"
)

// promises are what the library promises for a plan.
func promises(p Plan) check.Options {
	topic := p.topic()
	o := check.Options{
		MinIdle: minIdle, CloseTimeout: p.CloseTimeout, LiveBound: settleTimeout - time.Second,
		Refusals: []string{"rights revoked"}, Slack: slack, Recovery: recovery, GroupLoss: groupLoss,
	}
	for _, m := range slices.Concat(p.Groups, p.FanOut) {
		o.Groups = append(o.Groups, check.Group{
			Topic: topic, Name: m.Group,
			MaxInFlight: m.MaxInFlight, MaxDeliveries: m.MaxDeliveries, ReturnToGroup: m.ReturnToGroup,
		})
	}
	for _, c := range slices.Concat(processCards(), dataCards()) { // the history has other events of these
		o.NoTrouble = append(o.NoTrouble, c.name)
	}
	o.NoTrouble = append(o.NoTrouble, "SCRIPT FLUSH") // is to go unnoticed
	return o
}

const (
	// recovery is how long a process may need after a fault: the time-out of a
	// command that got no answer, and that of a new connection.
	recovery = 2 * task.Patience
	// groupLoss is what the README gives up with a group, and the sweep under way.
	groupLoss = 2*time.Second + minIdle/4
)
