package traffic

import (
	"crypto/rand"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Sized is Messages with payloads of another size, which are all the same.
func Sized(n, size int) []*message.Message {
	payload := make([]byte, size)
	_, _ = rand.Read(payload) // never fails
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessage(watermill.NewUUID(), payload)
	}
	return messages
}
