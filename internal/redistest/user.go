package redistest

import (
	"strings"

	"github.com/redis/rueidis"
)

// User makes a user on the server, or on all nodes, who outlives restarts. The rules are those of
// ACL SETUSER. Replicas and sentinels go on as the default user, and so does [Server.Do].
func User(name, password string, rules ...string) Option {
	return func(s *settings) {
		s.set("user", strings.Join(append([]string{name, "on", ">" + password}, rules...), " "))
	}
}

// As is for Client: it connects as a user.
func As(name, password string) func(*rueidis.ClientOption) {
	return func(o *rueidis.ClientOption) { o.Username, o.Password = name, password }
}
