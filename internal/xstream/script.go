package xstream

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// script is a script of ours. Its lines call one command each, as an error of the server
// tells the line, and not always the command and never the key.
type script struct {
	lua    *rueidis.Lua
	source string
}

func newScript(source string) *script { return &script{rueidis.NewLuaScript(source), source} }

// Exec runs the script.
func (s *script) Exec(ctx context.Context, client rueidis.Client, keys, args []string) rueidis.RedisResult {
	reply := s.lua.Exec(ctx, client, keys, args)
	if err := reply.Error(); err != nil {
		return rueidis.NewErrorResult(s.explain(err, keys))
	}
	return reply
}

var (
	deniedInScript = regexp.MustCompile(`ACL failure in script|user executing the script can't`)
	scriptLine     = regexp.MustCompile(`@user_script:(\d+)`)
	// lineCalls is a command in a line of a script. Where it is put together before, a comment says
	// which it is.
	lineCalls = regexp.MustCompile(`redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?|-- ([A-Z]+)$`)
	usesKey   = regexp.MustCompile(`KEYS\[(\d+|#KEYS)\]`)
)

// explain is for an error of the script: of the one that runs it, or of a command in it.
func (s *script) explain(err error, keys []string) error {
	var reply *rueidis.RedisError
	if !errors.As(err, &reply) || !deniedInScript.MatchString(reply.Error()) {
		return explain(err, "eval +evalsha", keys...)
	}
	at := scriptLine.FindStringSubmatch(reply.Error())
	if at == nil {
		return err
	}
	n, _ := strconv.Atoi(at[1])
	command, used := s.line(n, keys)
	if command == "" {
		return err
	}
	if deniedKey.MatchString(reply.Error()) {
		return &RightError{Right: "(+" + command + " ~" + strings.Join(used, " ~") + ")", Err: err}
	}
	return &RightError{Right: "+" + command, Err: err}
}

// line is the command that a line calls, and those of the keys that it names, or all.
func (s *script) line(n int, keys []string) (command string, used []string) {
	lines := strings.Split(s.source, "\n")
	if n < 1 || n > len(lines) {
		return "", nil
	}
	call := lineCalls.FindStringSubmatch(lines[n-1])
	if call == nil {
		return "", nil
	}
	command = strings.ToLower(call[1] + call[3])
	if command == "xgroup" || command == "xinfo" {
		command += "|" + strings.ToLower(call[2])
	}
	for _, m := range usesKey.FindAllStringSubmatch(lines[n-1], -1) {
		i, err := strconv.Atoi(m[1])
		if err != nil {
			i = len(keys)
		}
		if i <= len(keys) {
			used = append(used, keys[i-1])
		}
	}
	if used == nil {
		used = keys
	}
	return command, used
}
