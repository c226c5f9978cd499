package chaos

import (
	"fmt"
	"strconv"

	"github.com/watermill-rueidis/redisstream"
)

// pendingEntry is one that a group has not settled.
type pendingEntry struct {
	id, consumer string
	count        int64
}

// entry is one of a stream.
type entry struct {
	id     string
	fields map[string]string
}

// most is more than a round can have of anything.
const most = "100000"

func (s *stage) pending(group string) ([]pendingEntry, error) {
	rows, err := s.rows("XPENDING", s.topic, group, "-", "+", most)
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

// entries are those of a stream up to an ID.
func (s *stage) entries(stream, last string) ([]entry, error) {
	rows, err := s.rows("XRANGE", stream, "-", last)
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

// groups are what XINFO GROUPS says, by name.
func (s *stage) groups() (map[string]map[string]string, error) {
	rows, err := s.rows("XINFO", "GROUPS", s.topic)
	if err != nil {
		return nil, err
	}
	groups := map[string]map[string]string{}
	for _, row := range rows {
		info := toMap(row)
		groups[info["name"]] = info
	}
	return groups, nil
}

// consumers are what XINFO CONSUMERS says.
func (s *stage) consumers(group string) ([]map[string]string, error) {
	rows, err := s.rows("XINFO", "CONSUMERS", s.topic, group)
	if err != nil {
		return nil, err
	}
	consumers := make([]map[string]string, len(rows))
	for i, row := range rows {
		consumers[i] = toMap(row)
	}
	return consumers, nil
}

// lastID is that of the last entry, or "" if there is no stream.
func (s *stage) lastID() (string, error) {
	reply, err := s.ask("XREVRANGE", s.topic, "+", "-", "COUNT", "1")
	if err != nil {
		return "", err
	}
	if rows, ok := reply.([]any); ok && len(rows) == 1 {
		if row, ok := rows[0].([]any); ok {
			id, _ := row[0].(string)
			return id, nil
		}
	}
	return "", nil
}

// publish adds a message as a publisher would.
func (s *stage) publish(uuid string, payload []byte) (id string, err error) {
	reply, err := s.ask("XADD", s.topic, "*", redisstream.UUIDField, uuid, "metadata", "", "payload", string(payload))
	id, _ = reply.(string)
	return id, err
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
