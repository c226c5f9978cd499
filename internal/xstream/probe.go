package xstream

import (
	"context"

	"github.com/redis/rueidis"
)

// probed is the name of no group.
const probed = "~probe"

// Probe finds out whether a member may do what it will have to, and returns the
// server's NOPERM if not, which names the missing right. It asks the stream for a group
// that does not exist, so that nothing happens where it is allowed.
func (g Group) Probe(ctx context.Context) error {
	key, group := g.Key, probed
	b := g.Client.B()
	replies := g.Client.DoMulti(ctx,
		b.Arbitrary("XREADGROUP", "GROUP", group, "probe", "COUNT", "1", "STREAMS").Keys(key).Args(">").Build(),
		b.Arbitrary("XPENDING").Keys(key).Args(group).Build(),
		b.Xack().Key(key).Group(group).Id("0-1").Build(),
		b.Xclaim().Key(key).Group(group).Consumer("probe").MinIdleTime("0").Id("0-1").Justid().Build(),
		b.XgroupDelconsumer().Key(key).Group(group).Consumername("probe").Build(),
		b.Arbitrary("XINFO", "CONSUMERS").Keys(key).Args(group).Build(),
	)
	commands := [...]string{"xreadgroup", "xpending", "xack", "xclaim", "xgroup|delconsumer", "xinfo|consumers"}
	for i, r := range replies {
		if err := explained(r, commands[i], key).Error(); err != nil && !rueidis.IsRedisNil(err) && (!IsReply(err) || hasCode(err, "NOPERM")) {
			return err
		}
	}
	return nil
}
