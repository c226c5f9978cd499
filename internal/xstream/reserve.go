package xstream

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/redis/rueidis"
)

// Errors of Reserve.
var (
	// ErrNoConnection is returned when the client has no connection left for one
	// more blocking read. rueidis itself would wait for one without an end.
	ErrNoConnection = errors.New("no connection left for a blocking read")
	// ErrPrefixTaken is returned for a stream whose keys are another stream's,
	// as "{x}" and "x" would share theirs.
	ErrPrefixTaken = errors.New("another stream in use derives the same keys")
)

// usage is what all subscriptions of the process use of one client.
type usage struct {
	blocking int
	prefixes map[string]*owner
}

// owner is the stream that a key prefix belongs to while subscriptions use it.
type owner struct {
	stream string
	users  int
}

// reserved knows each client in use. A process may share one client among many
// Subscribers and a client tells nobody how it is used, so only something as
// wide as the process can count. Clients without a subscription are forgotten.
var reserved = struct { //nolint:gochecknoglobals // see above
	mu      sync.Mutex
	clients map[rueidis.Client]*usage // protected by mu
}{clients: map[rueidis.Client]*usage{}}

// Reserve books a connection for blocking reads, one of at most limit, and a
// stream's key prefix ("" = none), until free is called.
func Reserve(s Stream, prefix string, limit int) (free func(), err error) {
	if !reflect.ValueOf(s.Client).Comparable() {
		return func() {}, nil // somebody's wrapper, which can't be recognised
	}
	reserved.mu.Lock()
	defer reserved.mu.Unlock()
	u := reserved.clients[s.Client]
	if u == nil {
		u = &usage{prefixes: map[string]*owner{}}
	}
	if u.blocking >= limit {
		return nil, fmt.Errorf("%w: %d are in use", ErrNoConnection, u.blocking)
	}
	o := u.prefixes[prefix]
	if o == nil {
		o = &owner{stream: s.Key}
	}
	if prefix != "" && o.stream != s.Key {
		return nil, fmt.Errorf("%w: %q and %q", ErrPrefixTaken, o.stream, s.Key)
	}
	o.users++
	u.blocking++
	u.prefixes[prefix] = o
	reserved.clients[s.Client] = u
	return sync.OnceFunc(func() { unreserve(s.Client, prefix) }), nil
}

func unreserve(client rueidis.Client, prefix string) {
	reserved.mu.Lock()
	defer reserved.mu.Unlock()
	u := reserved.clients[client]
	if o := u.prefixes[prefix]; o.users > 1 {
		o.users--
	} else {
		delete(u.prefixes, prefix)
	}
	if u.blocking--; u.blocking == 0 {
		delete(reserved.clients, client)
	}
}
