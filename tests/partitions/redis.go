package partitions

import (
	"fmt"
	"strconv"

	"github.com/watermill-rueidis/redisstream/internal/xstream"
	"github.com/watermill-rueidis/redisstream/tests/partitions/task"
)

// entry is one of a stream.
type entry struct {
	id     string
	fields map[string]string
}

// pendingEntry is one that the group has not settled.
type pendingEntry struct {
	id, consumer string
	count        int64
}

// most is more than a round can have of anything.
const most = "100000"

func (s *stage) stream(partition int) string {
	return xstream.PartitionStream(s.topic, partition, task.Partitions)
}

func (s *stage) entries(partition int) ([]entry, error) {
	rows, err := s.rows("XRANGE", s.stream(partition), "-", "+")
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(rows))
	for i, row := range rows {
		entries[i].id, _ = row[0].(string)
		fields, _ := row[1].([]any)
		entries[i].fields = toMap(fields)
	}
	return entries, nil
}

func (s *stage) pending(partition int) ([]pendingEntry, error) {
	rows, err := s.rows("XPENDING", s.stream(partition), task.Group, "-", "+", most)
	if err != nil {
		return nil, err
	}
	pending := make([]pendingEntry, len(rows))
	for i, row := range rows {
		pending[i].id, _ = row[0].(string)
		pending[i].consumer, _ = row[1].(string)
		pending[i].count, _ = row[3].(int64)
	}
	return pending, nil
}

// isDone reports whether the group is done with a partition. What is not known does not count
// as done.
func (s *stage) isDone(partition int) bool {
	last, err := s.rows("XREVRANGE", s.stream(partition), "+", "-", "COUNT", "1")
	if err != nil {
		return false
	}
	id := "0-0"
	if len(last) == 1 {
		id, _ = last[0][0].(string)
	}
	groups, err := s.rows("XINFO", "GROUPS", s.stream(partition))
	if err != nil {
		return false
	}
	for _, row := range groups {
		if info := toMap(row); info["name"] == task.Group {
			return info["pending"] == "0" && info["last-delivered-id"] == id
		}
	}
	return false
}

// standing is who has what, at one moment.
type standing struct {
	owners []lease             // by partition
	shares map[string][]string // member's process -> partitions
}

// lease is what that of a partition says.
type lease struct {
	process string // "" = nobody has it
	epoch   int64
}

// standingScript reads all in one step.
const standingScript = `
local out = {redis.call('HGETALL', KEYS[1])}
for i = 2, #KEYS do out[i] = redis.call('HMGET', KEYS[i], 'owner', 'epoch') end
return out`

func (s *stage) standing() (standing, error) {
	prefix, err := xstream.Prefix(s.topic)
	if err != nil {
		return standing{}, err
	}
	args := []string{"EVAL", standingScript, strconv.Itoa(1 + task.Partitions), xstream.Owned(prefix, task.Group)}
	for i := range task.Partitions {
		prefix, err := xstream.Prefix(s.stream(i))
		if err != nil {
			return standing{}, err
		}
		args = append(args, xstream.PartitionLease(prefix, task.Group))
	}
	rows, err := s.rows(args...)
	if err != nil {
		return standing{}, err
	}
	out := standing{shares: map[string][]string{}}
	for member, share := range toMap(rows[0]) {
		out.shares[task.ProcessOf(member)] = []string{share}
	}
	for _, row := range rows[1:] {
		var l lease
		owner, _ := row[0].(string)
		epoch, _ := row[1].(string)
		if owner != "" {
			l.process = task.ProcessOf(owner)
		}
		l.epoch, _ = strconv.ParseInt(epoch, 10, 64) // nobody ever had it
		out.owners = append(out.owners, l)
	}
	return out, nil
}

// rows is a reply that is an array of arrays.
func (s *stage) rows(args ...string) ([][]any, error) {
	reply, err := s.ask(args...)
	if err != nil {
		return nil, err
	}
	list, ok := reply.([]any)
	if !ok {
		return nil, fmt.Errorf("%v: %w: %v", args, errReply, reply)
	}
	rows := make([][]any, len(list))
	for i := range list {
		if rows[i], ok = list[i].([]any); !ok {
			return nil, fmt.Errorf("%v: %w: %v", args, errReply, reply)
		}
	}
	return rows, nil
}

// toMap reads a flat list of names and values.
func toMap(list []any) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		name, _ := list[i].(string)
		switch value := list[i+1].(type) {
		case string:
			m[name] = value
		case int64:
			m[name] = strconv.FormatInt(value, 10)
		}
	}
	return m
}
