package xstream

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"
)

// Leftover is what a group has not settled of its stream.
type Leftover struct {
	Stream, Group string
	Pending       int64
	// Unread is how many entries were never handed to a consumer; -1 when there are some,
	// and the server can't tell how many.
	Unread int64

	position string // of the last entry that was
}

// Leftovers says of each group of the streams what is left for it, of those for which
// something is. A stream that does not exist has no groups.
func Leftovers(ctx context.Context, client rueidis.Client, streams []string) ([]Leftover, error) {
	cmds := make(rueidis.Commands, 0, 2*len(streams))
	for _, key := range streams {
		s := Stream{Client: client, Key: key}
		// The stream comes second: what is added in between counts as left.
		cmds = append(cmds, s.reading("XINFO", "GROUPS"), s.reading("XINFO", "STREAM"))
	}
	replies := survey(ctx, client, cmds)
	var left []Leftover
	for i, key := range streams {
		behind, err := leftoversOf(key, explained(replies[2*i], "xinfo|groups", key), explained(replies[2*i+1], "xinfo|stream", key))
		if err != nil {
			return nil, fmt.Errorf("stream %q: %w", key, err)
		}
		left = append(left, behind...)
	}
	return settled(ctx, client, left)
}

// leftoversOf are the groups that have something pending, or are not at the last ID.
func leftoversOf(key string, groups, stream rueidis.RedisResult) ([]Leftover, error) {
	list, err := groups.ToArray()
	if isNoKey(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	last, exists, err := lastIDOf(stream)
	if err != nil || !exists {
		return nil, err
	}
	var left []Leftover
	for i := range list {
		l, err := leftoverOf(&list[i])
		if err != nil {
			return nil, err
		}
		position, err := ParseID(l.position)
		if err != nil {
			return nil, err
		}
		if position == last {
			l.Unread = 0
		}
		if l.Stream = key; l.Pending > 0 || position != last {
			left = append(left, l)
		}
	}
	return left, nil
}

func leftoverOf(group *rueidis.RedisMessage) (l Leftover, err error) {
	info, err := group.AsMap()
	if err != nil {
		return l, err
	}
	name, pending, position, lag := info["name"], info["pending"], info["last-delivered-id"], info["lag"]
	if l.Group, err = name.ToString(); err != nil {
		return l, err
	}
	if l.position, err = position.ToString(); err != nil {
		return l, err
	}
	if l.Unread, err = lag.AsInt64(); err != nil { // deletions make the server lose count
		l.Unread = -1
	}
	l.Pending, err = pending.AsInt64()
	return l, err
}

// settled leaves out the groups that are behind the last ID only because what had it was
// deleted: nothing brings them there.
func settled(ctx context.Context, client rueidis.Client, left []Leftover) ([]Leftover, error) {
	cmds := make(rueidis.Commands, len(left))
	for i, l := range left {
		cmds[i] = Stream{Client: client, Key: l.Stream}.reading("XRANGE", "", "("+l.position, "+", "COUNT", "1")
	}
	var out []Leftover
	for i, reply := range survey(ctx, client, cmds) {
		rest, err := explained(reply, "xrange", left[i].Stream).ToArray()
		if err != nil {
			return nil, err
		}
		l := left[i]
		switch {
		case len(rest) == 0:
			l.Unread = 0
		case l.Unread == 0:
			l.Unread = -1 // it has just been added
		}
		if l.Pending > 0 || l.Unread != 0 {
			out = append(out, l)
		}
	}
	return out, nil
}
