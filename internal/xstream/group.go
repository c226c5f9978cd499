package xstream

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Group is a consumer group of a stream.
type Group struct {
	Stream
	Name string
}

// Create creates the group, and the stream if need be. It starts after the
// given ID, or with what is added from now on when start is "$". A group that
// exists stays as it is.
func (g Group) Create(ctx context.Context, start string) error {
	cmd := g.Client.B().XgroupCreate().Key(g.Key).Group(g.Name).Id(start).Mkstream().Build()
	if err := g.do(ctx, cmd, "xgroup|create").Error(); !rueidis.IsRedisBusyGroup(err) {
		return err
	}
	return nil
}

// Ack settles entries, whoever they belong to. It returns how many were
// pending.
func (g Group) Ack(ctx context.Context, ids []string) (int64, error) {
	return g.do(ctx, g.Client.B().Xack().Key(g.Key).Group(g.Name).Id(ids...).Build(), "xack").AsInt64()
}

// Write is a write that changes nothing: it fails, or waits, where others would, and
// Touch in particular.
func (g Group) Write(ctx context.Context) error {
	return g.exec(ctx, write, nil, []string{g.Name}).Error()
}

// Position is the ID of the last entry that the group handed to a consumer.
func (g Group) Position(ctx context.Context) (ID, error) {
	return positionOf(g.read(ctx, "XINFO", "GROUPS"), g.Name)
}

func positionOf(reply rueidis.RedisResult, group string) (ID, error) {
	groups, err := reply.ToArray()
	if err != nil {
		return ID{}, err
	}
	for i := range groups {
		info, err := groups[i].AsMap()
		if err != nil {
			return ID{}, err
		}
		name, last := info["name"], info["last-delivered-id"]
		if s, _ := name.ToString(); s != group {
			continue
		}
		id, err := last.ToString()
		if err != nil {
			return ID{}, err
		}
		return ParseID(id)
	}
	return ID{}, rueidis.Nil
}

// Consumer is a member of the group as the server sees it.
type Consumer struct {
	Name    string
	Pending int64
	// Idle is the time since its last attempt to read, claim or renew; negative
	// when the server does not know.
	Idle time.Duration
}

// Consumers lists the members of the group.
func (g Group) Consumers(ctx context.Context) ([]Consumer, error) {
	list, err := g.read(ctx, "XINFO", "CONSUMERS", g.Name).ToArray()
	if err != nil {
		return nil, err
	}
	consumers := make([]Consumer, 0, len(list))
	for i := range list {
		info, err := list[i].AsMap()
		if err != nil {
			return nil, err
		}
		var c Consumer
		name, pending, idle := info["name"], info["pending"], info["idle"]
		if c.Name, err = name.ToString(); err != nil {
			return nil, err
		}
		c.Pending, _ = pending.AsInt64()
		ms, err := idle.AsInt64()
		if err != nil {
			ms = -1
		}
		c.Idle = time.Duration(ms) * time.Millisecond
		consumers = append(consumers, c)
	}
	return consumers, nil
}

// Show is a sign of life of a consumer, which is created if need be. A blocked
// read alone is none on some servers. It reads what is pending for the consumer
// behind any ID that there may be, which is nothing, and changes no count.
func (g Group) Show(ctx context.Context, consumer string) error {
	const behindAll = "18446744073709551615-18446744073709551614" // one more would mean what is new
	cmd := g.Client.B().Xreadgroup().Group(g.Name, consumer).Count(1).Streams().Key(g.Key).Id(behindAll).Build()
	return ignoreNil(g.do(ctx, cmd, "xreadgroup").Error())
}

// Discard removes a consumer for which nothing is pending.
func (g Group) Discard(ctx context.Context, consumer string) (removed bool, err error) {
	n, err := g.exec(ctx, discard, nil, []string{g.Name, consumer}).AsInt64()
	return n == 1, err
}

// Unchanged is the count of an entry that keeps the one it has.
const Unchanged = -1

// Count is an entry and the delivery count that it is to have.
type Count struct {
	ID         string
	Deliveries int64
}

// Giver is a consumer that gives entries back, and the group that it knows. If that was
// replaced by another one with a mark, nothing is given.
type Giver struct {
	Consumer string
	MarkKey  string // "" = to whatever group has the name
	Mark     string
}

// Release gives entries back to the group, as far as they still belong to the
// consumer.
func (g Group) Release(ctx context.Context, from Giver, entries []Count) (released int64, err error) {
	return g.giveTo(ctx, from, entries, Released, releasedIdle)
}

// Delay gives entries back to the group, as far as they still belong to the
// consumer, for after a time.
func (g Group) Delay(ctx context.Context, from Giver, entries []Count, d time.Duration) (delayed int64, err error) {
	return g.giveTo(ctx, from, entries, Delayed, releasedIdle-min(max(d, 0), releasedIdle))
}

func (g Group) giveTo(ctx context.Context, from Giver, entries []Count, to string, idle time.Duration) (given int64, err error) {
	var keys []string
	if from.MarkKey != "" {
		keys = []string{from.MarkKey}
	}
	for _, page := range pages(entries) {
		n, err := g.exec(ctx, release, keys, countArgs(page, g.Name, from.Consumer, to, millis(idle), from.Mark)).AsInt64()
		if err != nil {
			return given, err
		}
		given += n
	}
	return given, nil
}

// What Touch says of an entry that is not the consumer's any more.
const (
	NotMine = -1 // it belongs to somebody else, or is settled
	Gone    = -2 // it was trimmed or deleted while it was pending
)

// Touch renews the consumer's right to the entries. For each it returns the
// delivery count, NotMine or Gone.
func (g Group) Touch(ctx context.Context, consumer string, entries []Count) ([]int64, error) {
	var counts []int64
	for _, page := range pages(entries) {
		reply, err := g.exec(ctx, touch, nil, countArgs(page, g.Name, consumer)).AsIntSlice()
		if err != nil {
			return counts, err
		}
		if len(reply) != len(page) {
			return counts, errShort
		}
		counts = append(counts, reply...)
	}
	return counts, nil
}

// leavePage is the most that one script call of Leave moves. It takes some
// milliseconds, at the end of a subscription only.
const leavePage = 2000

// Farewell is how a consumer leaves its group.
type Farewell struct {
	// Unsure are entries whose ack got no reply. They are not released.
	Unsure []string
	// Claimed are entries that may have been claimed. Their counts stay.
	Claimed []string
	// Unseen is the change of the count of other entries that are pending for the
	// consumer without its knowledge.
	Unseen int
}

// Leave releases what is pending for the consumer without its knowledge, and
// removes the consumer when nothing is left. What it holds it has to release
// before.
func (g Group) Leave(ctx context.Context, consumer string, f Farewell) (removed bool, err error) {
	args := []string{g.Name, consumer, strconv.Itoa(f.Unseen), strconv.Itoa(leavePage + len(f.Unsure))}
	for _, id := range f.Claimed {
		args = append(args, id, "0")
	}
	for _, id := range f.Unsure {
		args = append(args, id, "keep")
	}
	for {
		reply, err := g.exec(ctx, leave, nil, args).AsIntSlice()
		if err != nil {
			return false, err
		}
		if len(reply) != 2 {
			return false, errShort
		}
		if released, gone := reply[0], reply[1] == 1; gone || released == 0 {
			return gone, nil
		}
	}
}

// pages cuts a list so that no script call holds up the server for long.
func pages[T any](list []T) [][]T {
	var out [][]T
	for len(list) > scriptPage {
		out = append(out, list[:scriptPage])
		list = list[scriptPage:]
	}
	if len(list) > 0 {
		out = append(out, list)
	}
	return out
}

func countArgs(entries []Count, head ...string) []string {
	args := make([]string, 0, len(head)+2*len(entries))
	args = append(args, head...)
	for _, e := range entries {
		args = append(args, e.ID, strconv.FormatInt(e.Deliveries, 10))
	}
	return args
}
