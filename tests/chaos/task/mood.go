package task

import "strings"

// Mood is what a message does to its handler. A payload begins with it.
type Mood string

// The moods.
const (
	Plain  Mood = "plain"
	Poison Mood = "poison" // is always nacked
	Killer Mood = "killer" // kills the process
	Last   Mood = "last"   // is acked at once
)

// Payload is a message's payload, of at least so many bytes. It names the message, so that a
// consumer can tell that it got what was published under this UUID.
func (m Mood) Payload(uuid string, size int) []byte {
	text := string(m) + " " + uuid + " "
	return []byte(text + strings.Repeat("x", max(0, size-len(text))))
}

// MoodOf reports false for a payload that is not this message's.
func MoodOf(payload []byte, uuid string) (Mood, bool) {
	mood, rest, _ := strings.Cut(string(payload), " ")
	name, padding, ok := strings.Cut(rest, " ")
	return Mood(mood), ok && name == uuid && strings.Trim(padding, "x") == ""
}
