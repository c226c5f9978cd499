package xstream

import (
	"context"

	"github.com/redis/rueidis"
)

// Probe finds out whether a member may do what it will have to, and returns the
// server's NOPERM if not, which names the missing right. It asks for a key that
// does not exist, so that nothing happens where it is allowed.
func (g Group) Probe(ctx context.Context, prefix string) error {
	key := prefix + ":probe"
	b := g.Client.B()
	replies := g.Client.DoMulti(ctx,
		b.Arbitrary("XREADGROUP", "GROUP", g.Name, "probe", "COUNT", "1", "STREAMS").Keys(key).Args(">").Build(),
		b.Arbitrary("XPENDING").Keys(key).Args(g.Name).Build(),
		b.Xack().Key(key).Group(g.Name).Id("0-1").Build(),
		b.Xclaim().Key(key).Group(g.Name).Consumer("probe").MinIdleTime("0").Id("0-1").Justid().Build(),
		b.XgroupDelconsumer().Key(key).Group(g.Name).Consumername("probe").Build(),
		b.Arbitrary("XINFO", "CONSUMERS").Keys(key).Args(g.Name).Build(),
	)
	for _, r := range replies {
		if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) && (!IsReply(err) || hasCode(err, "NOPERM")) {
			return err
		}
	}
	return nil
}
