package redisstream_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// The rights are those of docs/rights.md.

func roles() []string {
	return []string{"publisher", "first-user", "group-consumer", "fanout-consumer", "administrator"}
}

func TestRightsAreEnough(t *testing.T) {
	t.Parallel()
	server := roomForDenials(t)
	for _, role := range roles() {
		for i, does := range actsOf(role) {
			t.Run(fmt.Sprint(role, " ", i), func(t *testing.T) {
				t.Parallel()
				newScene(t, rightsOf(t, role), server).mustPlay(t, does)
			})
		}
	}
}

// Each part of a selector is a rule. What is denied is named in an error or in the log.
func TestEachRightIsNeeded(t *testing.T) {
	t.Parallel()
	server := roomForDenials(t)
	for _, role := range roles() {
		for i := range withoutEach(rightsOf(t, role)("orders")) {
			missing := withoutEach(rightsOf(t, role)("orders"))[i].missing
			t.Run(role+" "+missing, func(t *testing.T) {
				t.Parallel()
				where := server
				if missing == "+eval" || strings.Contains(missing, "+eval ") { // others would load the scripts
					where = roomForDenials(t)
				}
				require.True(t, slices.ContainsFunc(actsOf(role), func(does act) bool {
					s := newScene(t, func(topic string) []string { return withoutEach(rightsOf(t, role)(topic))[i].rules }, where)
					err := s.play(t, does)
					denied := len(s.denied(t)) > 0
					if denied && !canBeMissing(role, missing) {
						require.Regexp(t, "lacks the right "+hint(missing), fmt.Sprint(err, s.log.all()))
					}
					return denied
				}), "nothing needs it")
			})
		}
	}
}

// canBeMissing reports whether nobody hears of it when a right is missing: everything goes on
// without. docs/rights.md says so of each.
func canBeMissing(role, missing string) bool {
	switch {
	case strings.HasPrefix(missing, "+client|"), missing == "+ping", missing == "+multi":
		return true
	case strings.HasPrefix(missing, "+del of "), strings.HasSuffix(missing, "(+hget %R~{orders}:partitions)"):
		return true
	default:
		return role == "fanout-consumer" && missing == "+xrange"
	}
}

// hint is how what is said of a missing right begins, as an expression. Where a selector has the
// command for other keys, it is the key that the server refuses.
func hint(missing string) string {
	command := strings.Fields(missing)[0]
	if strings.HasPrefix(command, "+") && !strings.Contains(missing, " of ") {
		return `\(?(\+eval )?` + regexp.QuoteMeta(command)
	}
	return ""
}

// reduced is rules without one of them.
type reduced struct {
	missing string
	rules   []string
}

// withoutEach leaves out each rule, and each part of a selector.
func withoutEach(rules []string) []reduced {
	var all []reduced
	for i, rule := range rules {
		rest := slices.Delete(slices.Clone(rules), i, i+1)
		all = append(all, reduced{rule, rest})
		if !strings.HasPrefix(rule, "(") {
			continue
		}
		parts := strings.Fields(strings.Trim(rule, "()"))
		for j, part := range parts {
			left := strings.Join(slices.Delete(slices.Clone(parts), j, j+1), " ")
			all = append(all, reduced{part + " of " + rule, append(slices.Clone(rest), "("+left+")")})
		}
	}
	return all
}

func TestRightsAllowNothingElse(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do(t, "XADD", "orders", "1-1", "a", "1")
	server.Do(t, "XGROUP", "CREATE", "orders", "billing", "0")
	server.Do(t, "XADD", "invoices", "1-1", "a", "1")
	for _, role := range roles() {
		server.Do(t, append([]string{"ACL", "SETUSER", role, "on", ">secret"}, rightsOf(t, role)("orders")...)...)
	}
	for _, c := range []struct{ command, allowed string }{
		{"XADD orders * a 1", "publisher first-user administrator"},
		{"XADD orders:1 * a 1", "publisher first-user administrator"},
		{"XADD invoices * a 1", ""},
		{"XADD orders2 * a 1", ""},
		{"XADD {orders}:dead:billing * a 1", "group-consumer"},
		{"XADD {orders}:dead:shipping * a 1", ""},
		{"XRANGE orders - +", "group-consumer fanout-consumer administrator"},
		{"XRANGE invoices - +", ""},
		{"XREAD STREAMS orders 0", "fanout-consumer"},
		{"XREADGROUP GROUP billing me STREAMS orders >", "group-consumer"},
		{"XACK orders billing 1-1", "group-consumer"},
		{"XDEL orders 1-1", ""},
		{"XTRIM orders MAXLEN 0", ""},
		{"DEL orders", ""},
		{"SET orders x", ""},
		{"HSET orders a 1", ""},
		{"HSET {orders}:partitions n 2", "first-user group-consumer administrator"},
		{"XDEL {orders}:dead:billing 1-1", "administrator"},
		{"XGROUP DESTROY orders billing", ""},
		{"XGROUP CREATE orders more 0", "group-consumer administrator"},
		{"XGROUP SETID orders billing 0", ""},
		{"EVAL return 0", "first-user group-consumer administrator"},
		{"FLUSHALL", ""},
		{"KEYS *", ""},
		{"ACL LIST", ""},
		{"CONFIG GET *", ""},
		{"SUBSCRIBE orders", ""},
	} {
		for _, role := range roles() {
			args := strings.Fields(c.command)
			if args[0] == "EVAL" {
				args = []string{"EVAL", "return 0", "0"}
			}
			reply := fmt.Sprint(server.Do(t, append([]string{"ACL", "DRYRUN", role}, args...)...))
			allowed := slices.Contains(strings.Fields(c.allowed), role)
			require.Equal(t, allowed, reply == "OK", "%s: %s: %s", role, c.command, reply)
		}
	}
}

// Who reads without a group can change nothing: there is not one command that writes.
func TestFanOutConsumerHasNoRightToWrite(t *testing.T) {
	t.Parallel()
	for _, rule := range rightsOf(t, "fanout-consumer")("orders") {
		for part := range strings.FieldsSeq(strings.Trim(rule, "()")) {
			if strings.Contains(part, "~") {
				require.True(t, strings.HasPrefix(part, "%R~"), part)
				continue
			}
			name := strings.TrimPrefix(part, "+")
			info := fmt.Sprint(shared.Do(t, "COMMAND", "INFO", name))
			require.NotContains(t, info, "write", name)
			require.NotEqual(t, "[<nil>]", info, name)
		}
	}
}
