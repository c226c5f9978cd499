package xstream

import (
	"errors"
	"net"
	"strings"

	"github.com/redis/rueidis"
)

// Class says what to do about an error of Redis.
type Class int

// The classes. All of them can heal while the process runs.
const (
	// Transient: the network, or a server that can't answer now. Back off and
	// go on.
	Transient Class = iota
	// NoGroup: the group or the stream is gone. Create it again.
	NoGroup
	// Refused: the operator has to act (wrong type, no permission, a command
	// that the server does not know). Going on is harmless, hurrying is not.
	Refused
)

// Classify sorts an error of this package's calls.
func Classify(err error) Class {
	var reply *rueidis.RedisError
	if !errors.As(err, &reply) {
		return Transient
	}
	var lacking *RightError
	if errors.As(err, &lacking) {
		return Refused
	}
	if isNoKey(err) || reply.IsNil() { // XINFO has no NOGROUP for a stream, nor for one group of many
		return NoGroup
	}
	code, _, _ := strings.Cut(reply.Error(), " ")
	switch code {
	case "NOGROUP":
		return NoGroup
	case "LOADING", "READONLY", "UNBLOCKED", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS",
		"OOM", "BUSY", "MISCONF", "MOVED", "ASK", "NOSCRIPT", "EXECABORT":
		return Transient
	default:
		return Refused
	}
}

// IsReply reports whether the server itself answered with this error, so that
// the command is known not to have been executed.
func IsReply(err error) bool {
	var reply *rueidis.RedisError
	return errors.As(err, &reply)
}

// NotSent reports whether the command can't have reached a server, because
// there was no connection to send it over, or something before it failed. ErrClosing says nothing of it: rueidis
// answers with it what is on its way when a connection is closed, be it by the
// client's owner or because the master has changed.
func NotSent(err error) bool {
	var op *net.OpError
	var before unsent
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &before)
}

// IsClosed reports whether the client was closed by its owner.
func IsClosed(err error) bool { return errors.Is(err, rueidis.ErrClosing) }

// hasCode tells a reply of Redis by its first word.
func hasCode(err error, code string) bool {
	var reply *rueidis.RedisError
	return errors.As(err, &reply) && strings.HasPrefix(reply.Error(), code)
}

// isNoKey recognises the answer of XINFO for a stream that does not exist.
func isNoKey(err error) bool { return hasCode(err, "no such key") || hasCode(err, "ERR no such key") }
