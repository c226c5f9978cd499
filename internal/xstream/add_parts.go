package xstream

import (
	"context"
	"sync"

	"github.com/redis/rueidis"
)

// Part is what goes to one of several streams.
type Part struct {
	Stream  string
	Entries []Addition
}

// AddParts adds entries to several streams at the same time, and to each as Add does. It
// returns what became of them, part by part. The context is like that of AddOne.
func (a *Adder) AddParts(ctx context.Context, parts []Part) []Added {
	switch {
	case len(parts) == 1:
		return a.Add(ctx, parts[0].Stream, parts[0].Entries)
	case a.isCluster():
		return a.addApart(ctx, parts)
	case a.durable != nil:
		return a.durable.add(ctx, parts)
	default:
		return a.addInOneGo(ctx, parts)
	}
}

// addInOneGo sends the transactions behind each other, which is as fast as if it were one.
func (a *Adder) addInOneGo(ctx context.Context, parts []Part) []Added {
	total := 0
	for i := range parts {
		total += len(parts[i].Entries)
	}
	plain := a.plain.Load()
	cmds := make(rueidis.Commands, 0, total+2*len(parts))
	for _, part := range parts {
		if plain || len(part.Entries) == 1 {
			cmds = a.pipeline(cmds, part.Stream, part.Entries)
		} else {
			cmds = a.transaction(cmds, part.Stream, part.Entries)
		}
	}
	replies := a.client.DoMulti(ctx, cmds...)
	out := make([]Added, 0, total)
	for _, part := range parts {
		n := len(part.Entries)
		if plain || n == 1 {
			out, replies = append(out, collect(part.Stream, replies[:n])...), replies[n:]
		} else {
			out, replies = append(out, a.transacted(part.Stream, replies[:n+2])...), replies[n+2:]
		}
	}
	return out
}

// addApart sends each part by itself: in a cluster they go to different nodes, and a
// transaction has one. All have their answers when it returns or panics.
func (a *Adder) addApart(ctx context.Context, parts []Part) []Added {
	var work sync.WaitGroup
	answers := make([][]Added, len(parts))
	panics := make(chan any, len(parts)) // room for all, so that nobody waits
	for i, part := range parts {
		work.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
			}()
			answers[i] = a.Add(ctx, part.Stream, part.Entries)
		})
	}
	work.Wait()
	select {
	case p := <-panics:
		panic(p) //nolint:forbidigo // a hook's of the client; the caller may recover from it
	default:
	}
	var out []Added
	for _, added := range answers {
		out = append(out, added...)
	}
	return out
}
