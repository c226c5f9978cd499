package xstream

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/rueidis"
)

const (
	// maxGroup and maxGroupBytes bound what goes together.
	maxGroup      = 128
	maxGroupBytes = 1 << 20
	// maxShared is the most bytes of a command that others may have to wait for.
	maxShared = 64 << 10
)

// errAbandoned is the answer to a command whose sender panicked.
var errAbandoned = errors.New("the command was given up with others that were sent together with it")

// commit sends commands of many goroutines to one stream together. To write, to read
// and to wake up for one command at a time costs the client and the server twice as
// much.
//
// A group leaves when it is a third as large as all that is on the way, or when less than
// two are. So there is no timer, few callers never wait, and many keep the way to
// the server full, however long it is. Streams do not share groups, so nobody waits
// for a node of a cluster that is not his.
type commit struct {
	client rueidis.Client

	mu     sync.Mutex // protects the following fields
	queues map[string]*queue
	spare  *queue // the last one that was not needed any more
}

// queue is what goes to one stream. Its commit's lock protects it.
type queue struct {
	groups  int // on the way
	sent    int // commands in them
	waiting int

	first, last *passenger // of those who wait
}

// mayLeave reports whether those who wait, and some more, may be sent.
func (q *queue) mayLeave(more int) bool {
	return q.groups < 2 || 3*(q.waiting+more) >= q.sent
}

// passenger is a command that waits.
type passenger struct {
	cmd    rueidis.Completed
	size   int
	next   *passenger    // who came after it
	woken  chan struct{} // one token
	first  *passenger    // of the group that it has to send, as the last of it,
	n      int           // and how many they are; or
	answer Added         // what became of it
}

var passengers = sync.Pool{New: func() any { return &passenger{woken: make(chan struct{}, 1)} }} //nolint:gochecknoglobals // one for all

// do sends a command and returns its answer. Others may travel with ctx, so it must
// not be cancellable.
func (c *commit) do(ctx context.Context, stream string, cmd rueidis.Completed, size int) Added {
	if size > maxShared {
		return added(c.client.Do(ctx, cmd))
	}
	p := c.enter(stream, cmd, size)
	if p == nil {
		defer c.landed(stream, 1)
		return added(c.client.Do(ctx, cmd))
	}
	<-p.woken
	if p.first != nil {
		c.lead(ctx, stream, p)
	}
	answer := p.answer
	*p = passenger{woken: p.woken}
	passengers.Put(p)
	return answer
}

// enter returns nil for a command that may be sent at once, alone.
func (c *commit) enter(stream string, cmd rueidis.Completed, size int) *passenger {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queues[stream]
	if q == nil {
		if q, c.spare = c.spare, nil; q == nil {
			q = &queue{}
		}
		c.queues[stream] = q
	}
	if q.waiting == 0 && q.mayLeave(1) {
		q.groups++
		q.sent++
		return nil
	}
	p, _ := passengers.Get().(*passenger)
	p.cmd, p.size = cmd, size
	q.push(p)
	if q.mayLeave(0) {
		q.leave()
	}
	return p
}

func (q *queue) push(p *passenger) {
	if q.waiting++; q.waiting == 1 {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
}

// leave has one of those who wait send itself and those before it. There is one. It is
// the last: when it has only just come, it runs already, and nobody has to be woken first.
func (q *queue) leave() {
	leader := q.first
	n, size := 1, leader.size
	for n < min(q.waiting, maxGroup) && size+leader.next.size <= maxGroupBytes {
		leader = leader.next
		size += leader.size
		n++
	}
	leader.first, leader.n = q.first, n
	q.first = leader.next
	q.waiting -= n
	q.groups++
	q.sent += n
	leader.woken <- struct{}{}
}

// landed notes that a group has its answers.
func (c *commit) landed(stream string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queues[stream]
	q.groups--
	q.sent -= n
	switch {
	case q.waiting > 0 && q.mayLeave(0):
		q.leave()
	case q.groups == 0:
		delete(c.queues, stream)
		c.spare = q
	}
}

// lead sends the group of a passenger, and tells the others their answers.
func (c *commit) lead(ctx context.Context, stream string, leader *passenger) {
	first, n := leader.first, leader.n
	defer c.landed(stream, n)
	cmds := make(rueidis.Commands, 0, n)
	for p := first; len(cmds) < n; p = p.next {
		p.answer.Err = errAbandoned
		cmds = append(cmds, p.cmd)
	}
	defer func() {
		for p := first; p != leader; {
			next := p.next // p belongs to its sender again when he is awake
			p.woken <- struct{}{}
			p = next
		}
	}()
	replies := c.client.DoMulti(ctx, cmds...)
	p := first
	for _, reply := range replies[:min(len(replies), n)] {
		p.answer = added(reply)
		p = p.next
	}
}

// added is what a reply says of the entry that was to be added.
func added(reply rueidis.RedisResult) Added {
	id, err := reply.ToString()
	if err != nil {
		return Added{Err: err} // the string may be the text of the error
	}
	return Added{ID: id}
}
