package xstream

import (
	"context"
	"reflect"
	"slices"

	"github.com/redis/rueidis"
)

// What is asked of many groups at once.

// surveyPage keeps the server busy for a third of a millisecond.
const surveyPage = 256

// IsOneServer reports whether all keys of a client are on one server, and the client can be
// told from others.
func IsOneServer(client rueidis.Client) bool {
	return reflect.ValueOf(client).Comparable() && client.Mode() != rueidis.ClientModeCluster
}

// Total is how much is pending in a group.
type Total struct {
	Pending int64
	Err     error
}

// Totals says how much is pending in each of the groups, which are reached through one client.
func Totals(ctx context.Context, client rueidis.Client, groups []Group) []Total {
	cmds := make(rueidis.Commands, len(groups))
	for i, g := range groups {
		cmds[i] = g.reading("XPENDING", "", g.Name)
	}
	totals := make([]Total, len(groups))
	for i, reply := range survey(ctx, client, cmds) {
		totals[i] = totalOf(explained(reply, "xpending", groups[i].Key))
	}
	return totals
}

func totalOf(reply rueidis.RedisResult) Total {
	parts, err := reply.ToArray()
	if err == nil && len(parts) == 0 {
		err = errShort
	}
	if err != nil {
		return Total{Err: err}
	}
	n, err := parts[0].AsInt64()
	return Total{Pending: n, Err: err}
}

// Standing is how far a group and its stream are.
type Standing struct {
	Position ID // of the last entry that the group handed to a consumer
	Last     ID // the greatest that the stream ever had
	Err      error
}

// Standings says of each of the groups where it stands. They are reached through one client.
func Standings(ctx context.Context, client rueidis.Client, groups []Group) []Standing {
	cmds := make(rueidis.Commands, 0, 2*len(groups))
	for _, g := range groups {
		cmds = append(cmds, g.reading("XINFO", "GROUPS"), g.reading("XINFO", "STREAM"))
	}
	replies := survey(ctx, client, cmds)
	standings := make([]Standing, len(groups))
	for i, g := range groups {
		s := &standings[i]
		if s.Position, s.Err = positionOf(explained(replies[2*i], "xinfo|groups", g.Key), g.Name); s.Err == nil {
			s.Last, _, s.Err = lastIDOf(explained(replies[2*i+1], "xinfo|stream", g.Key))
		}
	}
	return standings
}

func survey(ctx context.Context, client rueidis.Client, cmds rueidis.Commands) []rueidis.RedisResult {
	replies := make([]rueidis.RedisResult, 0, len(cmds))
	for page := range slices.Chunk(cmds, surveyPage) {
		replies = append(replies, client.DoMulti(ctx, page...)...)
	}
	return replies
}

// IsSwitched reports whether a client is told by sentinels which server is the master. It leaves
// connections alone that are in use, so a read may block on the old one.
func IsSwitched(client rueidis.Client) bool {
	return client != nil && client.Mode() == rueidis.ClientModeSentinel
}
