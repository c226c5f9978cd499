package redisstream

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
)

// patrol looks after the groups of which nothing is pending, for all subscriptions of a
// client in one round trip. To wake up hundreds of goroutines that have nothing to do, and
// to write and read for each of them, would be most of what an idle process does.
//
// It only looks. Who has something to do, or got no answer, is called and does the
// rest. Its goroutine is ended by who leaves last; nobody waits for it, as it changes
// nothing on the server and tells nobody who has left.
type patrol struct {
	client rueidis.Client
	period time.Duration
	end    context.CancelFunc
	posts  map[*post]bool // protected by patrols.mu
}

// post is a group that is looked after. patrols.mu protects it.
type post struct {
	patrol  *patrol
	member  *member
	call    chan struct{} // takes one token
	nextPos time.Time     // when to ask where the group stands
}

type patrolKey struct {
	client rueidis.Client
	period time.Duration
}

// patrols has those with posts. Its lock is held for a few words with each of them.
var patrols = struct { //nolint:gochecknoglobals // a client may be shared by all of a process
	mu  sync.Mutex
	all map[patrolKey]*patrol // protected by mu
}{all: map[patrolKey]*patrol{}}

// stand has a member's group looked at once in a period, until leave. It returns nil if
// there is nobody to do that: on a cluster, a node that is frozen would hold up the answers
// of the others.
func stand(m *member, period time.Duration, nextPos time.Time, call chan struct{}) *post {
	if !xstream.IsOneServer(m.group.Client) {
		return nil
	}
	key := patrolKey{m.group.Client, period}
	patrols.mu.Lock()
	defer patrols.mu.Unlock()
	p := patrols.all[key]
	if p == nil {
		ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // it is nobody's alone
		p = &patrol{client: key.client, period: period, end: cancel, posts: map[*post]bool{}}
		patrols.all[key] = p
		go p.run(ctx)
	}
	o := &post{patrol: p, member: m, call: call, nextPos: nextPos}
	p.posts[o] = true
	return o
}

// leave ends a post. The last one takes the patrol with it.
func (o *post) leave() {
	if o == nil {
		return
	}
	patrols.mu.Lock()
	defer patrols.mu.Unlock()
	p := o.patrol
	if !p.posts[o] {
		return
	}
	if delete(p.posts, o); len(p.posts) == 0 {
		p.end()
		delete(patrols.all, patrolKey{p.client, p.period})
	}
}

func (p *patrol) run(ctx context.Context) {
	timer := time.NewTimer(untilTick(p.period))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		p.round(ctx)
		timer.Reset(untilTick(p.period))
	}
}

// round looks at each post once.
func (p *patrol) round(ctx context.Context) {
	now := time.Now()
	survey(ctx, p, func(*post) bool { return true }, xstream.Totals, func(o *post, t xstream.Total, err error) {
		o.sawTotal(t.Pending, cmp.Or(err, t.Err))
	})
	survey(ctx, p, func(o *post) bool { return now.After(o.nextPos) }, xstream.Standings, func(o *post, s xstream.Standing, err error) {
		o.nextPos = now.Add(positionEvery)
		o.sawStanding(s, cmp.Or(err, s.Err))
	})
}

// survey asks something about the groups of some posts, and tells those that are still there.
// How long the answer took tells all of them about Redis.
func survey[T any](ctx context.Context, p *patrol, some func(*post) bool,
	ask func(context.Context, rueidis.Client, []xstream.Group) []T, tell func(*post, T, error),
) {
	chosen := p.choose(some)
	if len(chosen.posts) == 0 {
		return
	}
	sent := time.Now()
	replies, err := within(ctx, silenceTime, func(ctx context.Context) ([]T, error) {
		return ask(ctx, p.client, chosen.groups), nil
	})
	if err != nil {
		replies = make([]T, len(chosen.posts))
	}
	patrols.mu.Lock()
	defer patrols.mu.Unlock()
	for o := range p.posts {
		o.member.noteAnswer(sent, err)
	}
	for i, o := range chosen.posts {
		if p.posts[o] && o.member.currentEpoch() == chosen.epochs[i] { // else it is about another group
			tell(o, replies[i], err)
		}
	}
}

// chosen are posts, their groups, and how often those had been restored.
type chosen struct {
	posts  []*post
	groups []xstream.Group
	epochs []int
}

func (p *patrol) choose(some func(*post) bool) chosen {
	patrols.mu.Lock()
	defer patrols.mu.Unlock()
	var c chosen
	for o := range p.posts {
		if some(o) {
			c.posts, c.groups = append(c.posts, o), append(c.groups, o.member.group)
			c.epochs = append(c.epochs, o.member.currentEpoch())
		}
	}
	return c
}

// sawTotal does what a sweep does that finds nothing, or calls for one.
func (o *post) sawTotal(pending int64, err error) {
	if err != nil || pending > 0 || o.member.unheld.gave() {
		o.failed(err)
		wake(o.call)
		return
	}
	o.member.unheld.saw(nil, nil)
}

// sawStanding learns how far a group and its stream are.
func (o *post) sawStanding(s xstream.Standing, err error) {
	if err != nil {
		o.failed(err)
		wake(o.call) // it will say so
		return
	}
	o.member.sawPosition(s.Position)
	o.member.sawID(s.Last)
}

// failed notes an error of one answer.
func (o *post) failed(err error) {
	if err != nil {
		o.member.noteAnswer(time.Now(), err)
	}
}
