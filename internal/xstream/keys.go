package xstream

import (
	"errors"
	"strings"
)

// ErrUntaggable is returned for a stream whose name can't be put into a hash
// tag, so that no other key is sure to share its slot.
var ErrUntaggable = errors.New("the name has a brace but no valid hash tag; write it without braces, or with one tag such as {orders}")

// Prefix is what every key that belongs to a stream starts with. It contains
// the whole name, so that two streams share no key, other than x and {x}, and hashes
// to the stream's slot, so that one script can touch both.
func Prefix(stream string) (string, error) {
	if _, behind, ok := strings.Cut(stream, "{"); ok && strings.IndexByte(behind, '}') > 0 {
		return stream, nil
	}
	if strings.ContainsRune(stream, '}') {
		return "", ErrUntaggable
	}
	return "{" + stream + "}", nil
}

// SameSlot reports whether two keys are sure to be on one node, because the part
// that counts is the same.
func SameSlot(a, b string) bool { return hashed(a) == hashed(b) }

// hashed is the part of a key that its slot is made from.
func hashed(key string) string {
	if _, behind, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(behind, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// DeadLetters is the stream to which the group moves what it gives up on.
func DeadLetters(prefix, group string) string { return prefix + ":dead:" + group }

// ConsumerLease is the key whose holder may use a configured consumer name.
func ConsumerLease(prefix, group, consumer string) string {
	return prefix + ":consumer:" + group + ":" + consumer
}

// GroupMark is the key by which members learn that their group was created anew.
func GroupMark(prefix, group string) string { return prefix + ":mark:" + group }

// PartitionLease is the key that says which member of a group has a partition.
func PartitionLease(prefix, group string) string { return prefix + ":lease:" + group }

// Members is the key of the members of a group of a partitioned topic, and when each
// is taken for dead.
func Members(prefix, group string) string { return prefix + ":members:" + group }

// Owned is the key of what each of them has.
func Owned(prefix, group string) string { return prefix + ":owned:" + group }

// Wake is the stream on which they wait for a change.
func Wake(prefix, group string) string { return prefix + ":wake:" + group }
