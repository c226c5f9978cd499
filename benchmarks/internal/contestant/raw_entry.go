package contestant

import "github.com/redis/rueidis"

// rawEntry is an entry as it comes: names and values in turn.
type rawEntry struct {
	id     string
	fields []rueidis.RedisMessage
}

// claimedParts is how many an entry has in the reply to a read that claims: also how long it was idle,
// and how often it was delivered before.
const claimedParts = 4

// payloadAt is where the value of the third field is.
const payloadAt = 5

// rawEntries appends the entries that a read of one stream has returned. This walk is cheaper
// than AsXReadSlices.
func rawEntries(entries []rawEntry, reply rueidis.RedisResult, stream string) ([]rawEntry, error) {
	streams, err := reply.AsMap()
	if rueidis.IsRedisNil(err) {
		return entries, nil
	}
	if err != nil {
		return nil, err
	}
	found := streams[stream]
	list, err := found.ToArray()
	if err != nil {
		return nil, err
	}
	for i := range list {
		pair, err := list[i].ToArray()
		if err != nil || len(pair) != 2 && len(pair) != claimedParts {
			return nil, errShape
		}
		id, err := pair[0].ToString()
		if err != nil {
			return nil, err
		}
		fields, err := pair[1].ToArray()
		if err != nil || len(fields) <= payloadAt {
			return nil, errShape
		}
		entries = append(entries, rawEntry{id, fields})
	}
	return entries, nil
}

// payload does not copy.
func (e *rawEntry) payload() ([]byte, error) { return e.fields[payloadAt].AsBytes() }
