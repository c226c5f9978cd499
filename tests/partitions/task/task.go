// Package task tells a process under test what to do, and names what it writes down.
package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// Variable is the environment variable that holds a Task.
const Variable = "PARTITIONS_TASK"

// Partitions is how many the topic has.
const Partitions = 16

// KeyField is the metadata that has a message's key.
const KeyField = "key"

// Group is the members' group.
const Group = "group"

// Patience is how long a reply or a connection may take, as the client sees it.
const Patience = time.Second

// Task is what one process does from its start to its end.
type Task struct {
	Role    Role
	Process string // its name in the history
	History string // the file that it writes
	Seed    uint64 // of its random choices

	Addr  string
	Topic string

	Member    Member
	Publisher Publisher
}

// Role says what a process is.
type Role string

// The roles.
const (
	Consumes  Role = "member"
	Publishes Role = "publisher"
)

// Member is how a member of the group is configured.
type Member struct {
	MaxInFlight  int
	LeaseTTL     time.Duration
	CloseTimeout time.Duration
	Takes        time.Duration // a handler at most, most of the time
}

// Publisher is what a publisher does.
type Publisher struct {
	Keys  int           // at the same time
	Every time.Duration // between two messages of a key, on average
}

// FromEnvironment is the task of this process.
func FromEnvironment() (Task, error) {
	text := os.Getenv(Variable)
	if text == "" {
		return Task{}, errors.New(Variable + " is not set")
	}
	var t Task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return Task{}, fmt.Errorf("%s: %w", Variable, err)
	}
	return t, nil
}

// Environment is the environment variable for a process that is to do the task.
func (t Task) Environment() (string, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	return Variable + "=" + string(text), nil
}
