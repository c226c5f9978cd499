package task

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/watermill-rueidis/redisstream/tests/chaos/history"
)

// What is written down besides the kinds of package history.
const (
	// Stalled is written by a process that got no time from the machine until now; Text is for
	// how long. It is a short pause that nobody has planned.
	Stalled history.Kind = "stalled"
	// Clock says what the wall clock was; Epoch is its milliseconds.
	Clock history.Kind = "clock"
	// Calm is the begin of a time without faults. All members that are wanted have subscribed,
	// and all that are not have ended.
	Calm history.Kind = "calm"
	// Look is a look at who has what. Entries are the processes of the members that live. Owner
	// and Share events follow it.
	Look history.Kind = "look"
	// Owner is what the lease of a Partition says: the Process and the Epoch. Process is ""
	// when nobody has it.
	Owner history.Kind = "owner"
	// Share is what a Process says of itself: Entries are its partitions.
	Share history.Kind = "share"
	// Granted and Acked are what the server did, in the order in which it did it, and not at that
	// time: a Process got the Partition with an Epoch; and Entries of a Partition were acked.
	Granted history.Kind = "granted"
	Acked   history.Kind = "acked"
)

// UUID names the message of a key with a number. Numbers of a key count up from 1.
func UUID(key string, number int) string { return fmt.Sprintf("%s/%d", key, number) }

// ParseUUID is the opposite of UUID.
func ParseUUID(uuid string) (key string, number int, ok bool) {
	i := strings.LastIndexByte(uuid, '/')
	if i < 0 {
		return "", 0, false
	}
	number, err := strconv.Atoi(uuid[i+1:])
	return uuid[:i], number, err == nil
}

// ProcessOf is the process of a member, whose ID is the name that it configured and a random
// end.
func ProcessOf(member string) string {
	i := strings.LastIndexByte(member, '-')
	if i < 0 {
		return member
	}
	return member[:i]
}

// SlotOf is the place of a process, whose name is that and how often it was started.
func SlotOf(process string) string {
	slot, _, _ := strings.Cut(process, ".")
	return slot
}
