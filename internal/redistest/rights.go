package redistest

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var (
	sections = regexp.MustCompile(`(?m)^## (.*)$`)
	blocks   = regexp.MustCompile("(?s)```acl\n(.*?)```")
	reasons  = regexp.MustCompile(`(?m)#.*$`)
	rules    = regexp.MustCompile(`\([^)]*\)|\S+`)
)

// Rights are the ACL rules of docs/rights.md for a topic, for any group, and with partitions:
// those of every user, and of a role. That is the heading of a section, such as "publisher",
// "group-consumer", "fanout-consumer", "administrator" or "first-user". The topic may be a
// pattern. A selector is one rule.
func Rights(tb testing.TB, role, topic string) []string {
	tb.Helper()
	return RightsInGroup(tb, role, topic, "*")
}

// RightsInGroup is Rights for one group.
func RightsInGroup(tb testing.TB, role, topic, group string) []string {
	tb.Helper()
	all := slices.Concat(RightsOnly(tb, "every-user", topic, group), RightsOnly(tb, role, topic, group))
	slices.Sort(all)
	return slices.Compact(all)
}

// RightsOnly are the rules of a section alone.
func RightsOnly(tb testing.TB, role, topic, group string) []string {
	tb.Helper()
	_, source, _, _ := runtime.Caller(0)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(source), "..", "..", "docs", "rights.md"))
	check(tb, err)
	named := strings.NewReplacer("orders", topic, "billing", group)
	var found []string
	for _, block := range blocks.FindAllStringSubmatch(section(string(text), role), -1) {
		found = append(found, rules.FindAllString(named.Replace(reasons.ReplaceAllString(block[1], "")), -1)...)
	}
	if len(found) == 0 {
		tb.Fatalf("docs/rights.md has no rules for %q", role)
	}
	return found
}

// section is the text below a heading.
func section(text, heading string) string {
	plain := strings.NewReplacer("-", "", " ", "")
	for _, at := range sections.FindAllStringSubmatchIndex(text, -1) {
		if strings.EqualFold(plain.Replace(text[at[2]:at[3]]), plain.Replace(heading)) {
			body := text[at[1]:]
			if next := sections.FindStringIndex(body); next != nil {
				body = body[:next[0]]
			}
			return body
		}
	}
	return ""
}
