package xstream

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/watermill-rueidis/redisstream/internal/redistest"
)

// denial is a call that lacks something, and what its error has to say.
type denial struct {
	rules string // behind ~* +@all
	right string // {k} is the stream's key
	call  func(ctx context.Context, g Group) error
}

func denials() map[string]denial {
	fields := []string{"a", "1"}
	create := func(ctx context.Context, g Group) error { return g.Create(ctx, "0") }
	addOne := func(ctx context.Context, g Group) error {
		return NewAdder(g.Client).AddOne(ctx, g.Key, &Addition{Fields: fields}).Err
	}
	addTwo := func(ctx context.Context, g Group) error {
		return NewAdder(g.Client).Add(ctx, g.Key, []Addition{{Fields: fields}, {Fields: fields}})[1].Err
	}
	addParts := func(ctx context.Context, g Group) error {
		parts := []Part{{Stream: g.Key, Entries: []Addition{{Fields: fields}}}, {Stream: g.Key + ":1", Entries: []Addition{{Fields: fields}, {Fields: fields}}}}
		return NewAdder(g.Client).AddParts(ctx, parts)[2].Err
	}
	touched := func(ctx context.Context, g Group) error {
		_, err := g.Touch(ctx, "me", []Count{{id(1), Unchanged}})
		return err
	}
	taken := func(ctx context.Context, g Group) error {
		_, err := g.Take(ctx, Claim{Consumer: "you", IDs: ids(1, 1)})
		return err
	}
	buried := func(values int) func(ctx context.Context, g Group) error {
		return func(ctx context.Context, g Group) error {
			_, err := g.Bury(ctx, Burial{Dead: "{" + g.Key + "}:dead", Consumer: "me", ID: id(1), Fields: make([]string, values)})
			return err
		}
	}
	held := func(ctx context.Context, g Group) error {
		_, err := g.Hold(ctx, "{"+g.Key+"}:name", "me", "1000")
		return err
	}
	left := func(ctx context.Context, g Group) error {
		_, err := g.Leave(ctx, "you", Farewell{})
		return err
	}
	read := func(ctx context.Context, g Group) error {
		c, err := Dial(ctx, g.Stream)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.ReadGroup(ctx, g, GroupRead{Consumer: "me", Count: 1, Block: time.Millisecond})
		return err
	}
	follow := func(ctx context.Context, g Group) error {
		c, err := Dial(ctx, g.Stream)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Read(ctx, ID{}, 1, time.Millisecond, 0)
		return err
	}
	beats := func(ctx context.Context, g Group) error {
		r := Roster{Client: g.Client, Partitions: "{" + g.Key + "}:p", Members: "{" + g.Key + "}:m", Owned: "{" + g.Key + "}:o", Wake: "{" + g.Key + "}:w"}
		_, err := r.Beat(ctx, Beat{Member: "me", TTL: time.Minute, Count: 2})
		return err
	}
	left2 := func(ctx context.Context, g Group) error {
		_, err := Leftovers(ctx, g.Client, []string{g.Key})
		return err
	}
	total := func(ctx context.Context, g Group) error { return Totals(ctx, g.Client, []Group{g})[0].Err }
	mark := func(ctx context.Context, g Group) error {
		_, err := g.Mark(ctx, "{"+g.Key+"}:mark")
		return err
	}
	return map[string]denial{
		"command":                   {"-xgroup|create", "+xgroup|create", create},
		"key":                       {"resetkeys", "(+xgroup|create ~{k})", create},
		"XADD":                      {"-xadd", "+xadd", addOne},
		"XADD, key":                 {"resetkeys", "(+xadd ~{k})", addOne},
		"XADD, key to be read only": {"resetkeys %R~*", "(+xadd ~{k})", addOne},
		"transaction":               {"-xadd", "+xadd", addTwo},
		"transaction, key":          {"resetkeys", "(+xadd ~{k})", addTwo},
		"pipeline, key":             {"-multi resetkeys", "(+xadd ~{k})", addTwo},
		"parts, key":                {"resetkeys ~{k}", "(+xadd ~{k}:1)", addParts},
		"selector, key":             {"-xadd (+xadd ~other)", "(+xadd ~{k})", addOne},
		"XPENDING in a script":      {"-xpending", "+xpending", touched},
		"XCLAIM in a script":        {"-xclaim", "+xclaim", touched},
		"query in a script":         {"-xpending", "+xpending", taken},
		"script":                    {"-evalsha", "+evalsha", touched},
		"keys of a script":          {"resetkeys ~{k}", "(+eval +evalsha ~{k} ~{{k}}:dead)", buried(2)},
		"key in a script":           {"-xadd (+xadd ~other)", "(+xadd ~{{k}}:dead)", buried(2)},
		"large letter":              {"-xadd", "+xadd", buried(8000)},
		"large letter, key":         {"resetkeys ~{k}", "(+xadd ~{{k}}:dead)", buried(8000)},
		"large letter, XACK":        {"-xack", "+xack", buried(8000)},
		"lease of a name":           {"-set", "+set", held},
		"lease of a name, key":      {"-set (+set ~other)", "(+set ~{{k}}:name)", held},
		"subcommand in a script":    {"-xgroup|delconsumer", "+xgroup|delconsumer", left},
		"XREADGROUP":                {"-xreadgroup", "+xreadgroup", read},
		"XREADGROUP, key":           {"resetkeys", "(+xreadgroup ~{k})", read},
		"XREAD, key":                {"resetkeys %W~*", "(+xread ~{k})", follow},
		"beat":                      {"-zadd", "+zadd", beats},
		"beat, key":                 {"-zadd (+zadd ~other)", "(+zadd ~{{k}}:m)", beats},
		"what is left, key":         {"resetkeys", "(+xinfo|groups ~{k})", left2},
		"survey, key":               {"resetkeys", "(+xpending ~{k})", total},
		"mark, key":                 {"resetkeys ~{k}", "(+get ~{{k}}:mark)", mark},
	}
}

func TestErrorNamesTheMissingRight(t *testing.T) {
	t.Parallel()
	for name, d := range denials() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t)
			deliver(t, g, "me", 1, 1)
			named := func(text string) string { return strings.ReplaceAll(text, "{k}", g.Key) }
			user := "user-" + g.Key
			rules := append([]string{"ACL", "SETUSER", user, "on", ">secret", "~*", "+@all"}, strings.Fields(named(d.rules))...)
			shared.Do(t, rules...)
			g.Client = shared.Client(t, func(o *rueidis.ClientOption) { o.Username, o.Password = user, "secret" })
			err := d.call(t.Context(), g)
			var lacking *RightError
			require.ErrorAs(t, err, &lacking)
			require.Equal(t, named(d.right), lacking.Right)
			require.ErrorContains(t, err, "lacks the right "+lacking.Right+", see docs/rights.md: ")
			var reply *rueidis.RedisError
			require.ErrorAs(t, err, &reply)
			require.Equal(t, Refused, Classify(err))
			require.True(t, IsReply(err))
		})
	}
}

func TestOtherErrorsAreNoMissingRights(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	shared.Do(t, "SET", s.Key, "x")
	var lacking *RightError
	for _, err := range []error{
		NewAdder(s.Client).AddOne(t.Context(), s.Key, &Addition{Fields: []string{"a", "1"}}).Err,
		Group{Stream: s, Name: "g"}.Write(t.Context()),
	} {
		require.ErrorContains(t, err, "WRONGTYPE")
		require.NotErrorAs(t, err, &lacking)
	}
	require.NoError(t, explain(nil, "xadd", "k"))
}

func TestErrorSaysThatTheUserIsUnknown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Do(t, "ACL", "SETUSER", "u", "on", ">secret", "~*", "+@all")
	s := newStream(t, server, func(o *rueidis.ClientOption) { o.Username, o.Password = "u", "secret" })
	server.Do(t, "ACL", "SETUSER", "u", "resetpass", ">other")
	server.Do(t, "CLIENT", "KILL", "USER", "u")
	require.Eventually(t, func() bool {
		_, _, err := s.LastID(t.Context())
		return err != nil && strings.Contains(err.Error(), "check Username and Password of the client: WRONGPASS")
	}, 5*time.Second, 10*time.Millisecond)
}

// An error of the server tells the line, and so it has to be clear which command it was.
func TestEachLineOfAScriptCallsOneCommand(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`redis\.p?call\(`)
	for _, s := range []*script{
		take, touch, write, release, leave, restore, bury, requeue, recordPartitions, switchPartitions, discard, hold, drop,
		acquire, renew, vacate, settle, recall, adopt, fencedTouch, fencedBury, beat, resign,
	} {
		found := 0
		for i, line := range strings.Split(s.source, "\n") {
			n := len(call.FindAllString(line, -1))
			require.LessOrEqual(t, n, 1, line)
			command, _ := s.line(i+1, []string{"a", "b", "c", "d"})
			require.Equal(t, n == 1, command != "", line)
			found += n
		}
		require.Positive(t, found)
	}
}
