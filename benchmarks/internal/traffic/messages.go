// Package traffic makes the messages that all contestants carry.
package traffic

import (
	"crypto/rand"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// PayloadSize is the size of each payload in bytes.
const PayloadSize = 128

// Messages returns messages with random payloads and no metadata. They may be published any
// number of times, but not by two goroutines at once.
func Messages(n int) []*message.Message {
	messages := make([]*message.Message, n)
	for i := range messages {
		payload := make([]byte, PayloadSize)
		_, _ = rand.Read(payload) // never fails
		messages[i] = message.NewMessage(watermill.NewUUID(), payload)
	}
	return messages
}
