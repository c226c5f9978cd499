// Package task tells a process under test what to do.
package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// Variable is the environment variable that holds a Task.
const Variable = "CHAOS_TASK"

// Patience is how long a reply or a connection may take. The library's and the client's defaults
// would make a round as long as that after each connection that is lost without a word.
const Patience = time.Second

// Task is what one process does from its start to its end.
type Task struct {
	Role    Role
	Process string // its name in the history
	History string // the file that it writes
	Seed    uint64 // of its random choices

	Addr     string
	User     string
	Password string
	Topic    string

	Removes bool // a requeuer: deletes the entries of some letters before

	Consumer  Consumer
	Publisher Publisher
}

// Role says what a process is.
type Role string

// The roles.
const (
	Consumes  Role = "consumer"
	Publishes Role = "publisher"
	Requeues  Role = "requeuer" // dead letters of Consumer.Group, once
)

// Consumer is how a consumer is configured.
type Consumer struct {
	Group         string // "" = fan-out
	Name          string // configured in Redis; "" = generated
	MaxInFlight   int
	MinIdle       time.Duration
	CloseTimeout  time.Duration
	MaxDeliveries int
	ReturnToGroup bool
	Takes         time.Duration // a handler at least
}

// Publisher is what a publisher does.
type Publisher struct {
	Every  time.Duration // between calls, on average
	Batch  int           // most messages of one call
	Poison int           // one in so many is always nacked; 0 = none
	Killer int           // the number of the message that kills its consumer; 0 = none
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
