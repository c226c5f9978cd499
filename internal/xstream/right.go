package xstream

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/redis/rueidis"
)

// RightError is returned when the user may not do what a call takes.
type RightError struct {
	// Right is the ACL rule that would allow it, such as "+xadd"; or "(+xadd ~orders)", when
	// the command is allowed, but not for this key.
	Right string
	Err   error // of the server
}

func (e *RightError) Error() string {
	return fmt.Sprintf("the Redis user lacks the right %s, see docs/rights.md: %v", e.Right, e.Err)
}

// Unwrap returns the server's error.
func (e *RightError) Unwrap() error { return e.Err }

var (
	deniedCommand = regexp.MustCompile(`run the '([^']+)' command`)
	deniedKey     = regexp.MustCompile(`access (a key|one of the keys|at least one of the keys)`)
)

// explain says of an error what the user lacks, or what is wrong with it, if that is what
// it is about: servers don't say which key it was.
func explain(err error, command string, keys ...string) error {
	var reply *rueidis.RedisError
	if !errors.As(err, &reply) {
		return err
	}
	switch text := reply.Error(); {
	case strings.HasPrefix(text, "NOAUTH"), strings.HasPrefix(text, "WRONGPASS"):
		return fmt.Errorf("the user of Redis is not known: check Username and Password of the client: %w", err)
	case strings.Contains(text, "NOPERM"): // EXECABORT may quote it
		return lacking(err, text, command, keys)
	default:
		return err
	}
}

// lacking makes a RightError of what the server says.
func lacking(err error, text, command string, keys []string) error {
	if named := deniedCommand.FindStringSubmatch(text); named != nil {
		return &RightError{Right: "+" + named[1], Err: err}
	}
	if deniedKey.MatchString(text) && len(keys) > 0 {
		return &RightError{Right: "(+" + strings.ToLower(command) + " ~" + strings.Join(keys, " ~") + ")", Err: err}
	}
	return err
}

// explained is a reply whose error, if it is one, is explained.
func explained(reply rueidis.RedisResult, command, key string) rueidis.RedisResult {
	if err := reply.Error(); err != nil && !rueidis.IsRedisNil(err) {
		return rueidis.NewErrorResult(explain(err, command, key))
	}
	return reply
}
