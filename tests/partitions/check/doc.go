// Package check judges a history of members of a group on a topic with partitions. Each rule is
// one file, which says what it excuses.
package check
