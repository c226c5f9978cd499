package xstream

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/rueidis"
)

// Stream is one stream key and the client that reaches it. The client stays the
// caller's.
type Stream struct {
	Client rueidis.Client
	Key    string
}

// LastID is the greatest ID the stream ever held; exists is false when there is
// no such stream.
func (s Stream) LastID(ctx context.Context) (last ID, exists bool, err error) {
	return lastIDOf(s.read(ctx, "XINFO", "STREAM"))
}

func lastIDOf(reply rueidis.RedisResult) (last ID, exists bool, err error) {
	info, err := reply.AsMap()
	if err != nil {
		if isNoKey(err) {
			return ID{}, false, nil
		}
		return ID{}, false, err
	}
	raw, ok := info["last-generated-id"]
	if !ok {
		return ID{}, false, errShort
	}
	id, err := raw.ToString()
	if err != nil {
		return ID{}, false, err
	}
	if id == "" { // miniredis' word for a stream that never had an entry
		return ID{}, true, nil
	}
	last, err = ParseID(id)
	return last, true, err
}

// Range lists up to count entries from an ID on.
func (s Stream) Range(ctx context.Context, from ID, count int) ([]Entry, error) {
	reply, err := s.read(ctx, "XRANGE", "", from.String(), "+", "COUNT", strconv.Itoa(max(count, 1))).ToMessage()
	if err != nil {
		return nil, ignoreNil(err)
	}
	return parseEntries(nil, &reply)
}

// Find reads an entry. It reports false if there is none with that ID.
func (s Stream) Find(ctx context.Context, id ID) (Entry, bool, error) {
	reply, err := s.read(ctx, "XRANGE", "", id.String(), id.String()).ToMessage()
	if err != nil {
		return Entry{}, false, ignoreNil(err)
	}
	found, err := parseEntries(nil, &reply)
	if err != nil || len(found) == 0 {
		return Entry{}, false, err
	}
	return found[0], true, nil
}

// Delete deletes entries. It returns how many there were.
func (s Stream) Delete(ctx context.Context, ids []string) (int64, error) {
	return s.do(ctx, s.Client.B().Xdel().Key(s.Key).Id(ids...).Build(), "xdel").AsInt64()
}

// Len is how many entries the stream has.
func (s Stream) Len(ctx context.Context) (int64, error) {
	return s.read(ctx, "XLEN", "").AsInt64()
}

// read sends a command that only reads.
func (s Stream) read(ctx context.Context, command, sub string, args ...string) rueidis.RedisResult {
	if sub != "" {
		return s.do(ctx, s.reading(command, sub, args...), command+"|"+sub)
	}
	return s.do(ctx, s.reading(command, sub, args...), command)
}

// do sends a command on the stream's key.
func (s Stream) do(ctx context.Context, cmd rueidis.Completed, name string) rueidis.RedisResult {
	return explained(s.Client.Do(ctx, cmd), name, s.Key)
}

// reading builds a command that only reads, with the key behind its first words, in
// a form that rueidis neither retries nor sends to a replica.
func (s Stream) reading(command, sub string, args ...string) rueidis.Completed {
	b := s.Client.B().Arbitrary(command)
	if sub != "" {
		b = b.Args(sub)
	}
	return b.Keys(s.Key).Args(args...).Build()
}

// exec runs a script on the stream's key, and further keys of the same slot.
func (s Stream) exec(ctx context.Context, run *script, keys, args []string) rueidis.RedisResult {
	return run.Exec(ctx, s.Client, append([]string{s.Key}, keys...), args)
}

// Hold takes or renews a lease for token, for ttl milliseconds as text. holder
// is "" when the caller has it now, else the token of who does.
func (s Stream) Hold(ctx context.Context, lease, token, ttl string) (holder string, err error) {
	return hold.Exec(ctx, s.Client, []string{lease}, []string{token, ttl}).ToString()
}

// Drop ends a lease that token holds.
func (s Stream) Drop(ctx context.Context, lease, token string) error {
	return ignoreNil(drop.Exec(ctx, s.Client, []string{lease}, []string{token}).Error())
}

func ignoreNil(err error) error {
	if rueidis.IsRedisNil(err) {
		return nil
	}
	return err
}

// errShort is returned for a reply with fewer parts than the command promises.
var errShort = errors.New("reply of Redis has too few parts")
