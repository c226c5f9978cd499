package xstream

import (
	"context"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// Summary is what is pending in a group.
type Summary struct {
	Total      int64
	Lowest     string
	Highest    string
	ByConsumer map[string]int64
}

// Summary counts what is pending, by consumer. Its cost grows with the number of
// consumers, not with the number of entries.
func (g Group) Summary(ctx context.Context) (Summary, error) {
	parts, err := g.read(ctx, "XPENDING", "", g.Name).ToArray()
	if err != nil {
		return Summary{}, err
	}
	if len(parts) < 4 {
		return Summary{}, errShort
	}
	var s Summary
	if s.Total, err = parts[0].AsInt64(); err != nil || s.Total == 0 {
		return s, err
	}
	s.Lowest, _ = parts[1].ToString()
	s.Highest, _ = parts[2].ToString()
	consumers, err := parts[3].ToArray()
	if err != nil {
		return s, ignoreNil(err)
	}
	s.ByConsumer = make(map[string]int64, len(consumers))
	for i := range consumers {
		pair, err := consumers[i].ToArray()
		if err != nil {
			return s, err
		}
		if len(pair) != 2 {
			return s, errShort
		}
		name, err := pair[0].ToString()
		if err != nil {
			return s, err
		}
		if s.ByConsumer[name], err = pair[1].AsInt64(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// Pending is an entry that was delivered and not acked.
type Pending struct {
	ID         ID
	Consumer   string        // "" = nobody: it was given back with XNACK
	Idle       time.Duration // the greatest of all when nobody has it
	Deliveries int64
}

// PendingQuery selects pending entries, in the order of their IDs.
type PendingQuery struct {
	Consumer string        // "" = anybody's
	MinIdle  time.Duration // 0 = all
	From     ID            // the first ID that counts
	Count    int           // at most so many; at least 1
}

// Due asks for delayed entries that are to be handed out now.
func Due(count int) PendingQuery {
	return PendingQuery{Consumer: Delayed, MinIdle: releasedIdle, Count: count}
}

// Pending lists pending entries. A query with MinIdle that finds nothing has
// looked at every entry of its consumer, or of the group.
func (g Group) Pending(ctx context.Context, q PendingQuery) ([]Pending, error) {
	args := []string{g.Name}
	if q.MinIdle > 0 {
		args = append(args, "IDLE", millis(q.MinIdle))
	}
	args = append(args, q.From.String(), "+", strconv.Itoa(max(q.Count, 1)))
	if q.Consumer != "" {
		args = append(args, q.Consumer)
	}
	list, err := g.read(ctx, "XPENDING", "", args...).ToArray()
	if err != nil {
		return nil, ignoreNil(err)
	}
	pending := make([]Pending, 0, len(list))
	for i := range list {
		p, err := parsePending(&list[i])
		if err != nil {
			return nil, err
		}
		pending = append(pending, p)
	}
	return pending, nil
}

func parsePending(m *rueidis.RedisMessage) (Pending, error) {
	parts, err := m.ToArray()
	if err != nil {
		return Pending{}, err
	}
	if len(parts) < 4 {
		return Pending{}, errShort
	}
	var p Pending
	id, err := parts[0].ToString()
	if err != nil {
		return p, err
	}
	if p.ID, err = ParseID(id); err != nil {
		return p, err
	}
	p.Consumer, _ = parts[1].ToString()
	idle, err := parts[2].AsInt64()
	if err != nil {
		return p, err
	}
	if p.Idle = time.Duration(idle) * time.Millisecond; idle < 0 { // nobody has it: XNACK
		p.Idle = math.MaxInt64
	}
	p.Deliveries, err = parts[3].AsInt64()
	p.Deliveries = min(p.Deliveries, MaxDeliveries)
	return p, err
}

// Claim says what Take takes over.
type Claim struct {
	Consumer string        // the new owner
	From     string        // the present owner; "" = anybody
	MinIdle  time.Duration // entries touched more recently stay where they are
	Most     int           // how many to take; 0 = all
	IDs      []string
}

// Taken is what Take took over.
type Taken struct {
	Entries []Entry  // with their delivery counts as they were
	Gone    []string // IDs whose entry was trimmed or deleted; the server forgot them now
	Looked  int      // at so many of the IDs
}

// Take makes a consumer the owner of pending entries, in the order of the IDs, until
// it has as many as it may take. After an error, it returns what it knows.
func (g Group) Take(ctx context.Context, c Claim) (Taken, error) {
	var t Taken
	most := c.Most
	if most == 0 {
		most = len(c.IDs)
	}
	for _, page := range pages(c.IDs) {
		left := most - len(t.Entries)
		if left == 0 {
			break
		}
		args := append([]string{g.Name, c.Consumer, c.From, millis(c.MinIdle), strconv.Itoa(left)}, page...)
		reply, err := g.exec(ctx, take, nil, args).ToArray()
		if err != nil {
			return t, err
		}
		if len(reply) != 3 {
			return t, errShort
		}
		if t.Entries, err = parseTaken(t.Entries, &reply[0]); err != nil {
			return t, err
		}
		gone, err := reply[1].AsStrSlice()
		if err != nil {
			return t, err
		}
		t.Gone = append(t.Gone, gone...)
		looked, err := reply[2].AsInt64()
		if err != nil {
			return t, err
		}
		t.Looked += int(looked)
	}
	return t, nil
}

func parseTaken(taken []Entry, reply *rueidis.RedisMessage) ([]Entry, error) {
	list, err := reply.ToArray()
	if err != nil {
		return taken, err
	}
	for i := range list {
		parts, err := list[i].ToArray()
		if err != nil {
			return taken, err
		}
		if len(parts) < 3 {
			return taken, errShort
		}
		deliveries, err := parts[1].AsInt64()
		if err != nil {
			return taken, err
		}
		entry, err := parseEntry(&parts[0], &parts[2], deliveries)
		if err != nil {
			return taken, err
		}
		taken = append(taken, entry)
	}
	return taken, nil
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
