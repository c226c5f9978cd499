package redisstream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// scene is where a user with some rights does what its role does.
type scene struct {
	servers []*redistest.Server // that have the user; more than one are a cluster
	topic   string
	user    string
	log     log // of what it does
}

// act is what a role does, with a client of the scene's user. It ends with the context.
type act func(ctx context.Context, s *scene, client rueidis.Client) error

// scenes counts them: each has names of its own.
var scenes atomic.Int64

// newScene makes a user with the rules that are made of the topic.
func newScene(t *testing.T, rules func(topic string) []string, servers ...*redistest.Server) *scene {
	t.Helper()
	n := scenes.Add(1)
	s := &scene{servers: servers, topic: fmt.Sprintf("t%d-", n), user: fmt.Sprintf("u%d-", n), log: newLog(t)}
	for _, server := range servers {
		server.Do(t, append([]string{"ACL", "SETUSER", s.user, "on", ">secret"}, rules(s.topic)...)...)
	}
	return s
}

// option makes a client one of the scene's user. Its idle connections are pinged soon.
func (s *scene) option(o *rueidis.ClientOption) {
	o.Username, o.Password, o.DisableCache = s.user, "secret", false
	o.Dialer.KeepAlive = 20 * time.Millisecond
}

// play has the user do what its role does. It ends early when something is denied.
func (s *scene) play(t *testing.T, does act) error {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*healTime, errors.New("it took too long"))
	defer cancel()
	o := rueidis.ClientOption{InitAddress: []string{s.servers[0].Addr()}, ForceSingleClient: len(s.servers) == 1}
	s.option(&o)
	client, err := rueidis.NewClient(o)
	if err != nil {
		return err
	}
	defer client.Close()
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer cancel()
		if until(ctx, func() bool { return len(s.denied(t)) > 0 }) == nil {
			said, end := context.WithTimeout(ctx, toSay)
			defer end()
			_ = until(said, s.isNamed)
		}
	}()
	err = does(ctx, s, client)
	if err != nil {
		err = errors.Join(err, context.Cause(ctx))
	}
	cancel()
	<-over
	return err
}

// toSay is how long it may take until the log says what was denied.
const toSay = time.Second

// isNamed reports whether the log says which right is missing.
func (s *scene) isNamed() bool { return s.log.contains("lacks the right") }

// denied are what the user was not allowed. That rueidis tells newer servers its name
// does not count: it goes on without.
func (s *scene) denied(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, server := range s.servers {
		entries, _ := server.Do(t, "ACL", "LOG", "100").([]any)
		for _, entry := range entries {
			text := fmt.Sprint(entry)
			if strings.Contains(text, " "+s.user+" ") && !strings.Contains(text, "client|setinfo") {
				found = append(found, text)
			}
		}
	}
	return found
}

// as sends a command of somebody who may do everything.
func (s *scene) as(ctx context.Context, args ...string) (any, error) {
	return s.servers[0].TryDo(ctx, args...)
}

// until waits for a condition.
func until(ctx context.Context, condition func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// roomForDenials is a server that forgets no denial.
func roomForDenials(t *testing.T) *redistest.Server {
	t.Helper()
	server := redistest.Start(t)
	server.Do(t, "CONFIG", "SET", "acllog-max-len", "100000")
	return server
}

// rightsOf are the rules of a role. The first user here is a publisher.
func rightsOf(t *testing.T, role string) func(topic string) []string {
	t.Helper()
	return func(topic string) []string {
		if role != "first-user" {
			return redistest.RightsInGroup(t, role, topic, "billing")
		}
		return append(redistest.RightsInGroup(t, "publisher", topic, "billing"), redistest.RightsOnly(t, role, topic, "billing")...)
	}
}

// mustPlay is play that has to succeed with nothing denied.
func (s *scene) mustPlay(t *testing.T, does act) {
	t.Helper()
	err := s.play(t, does)
	require.Empty(t, s.denied(t))
	require.NoError(t, err)
}
