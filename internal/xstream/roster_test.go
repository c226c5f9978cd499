package xstream

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"
)

func newRoster(tb testing.TB, mutate ...func(*rueidis.ClientOption)) Roster {
	tb.Helper()
	s := newStream(tb, shared, mutate...)
	prefix := "{" + s.Key + "}"
	return Roster{
		Client: s.Client, Partitions: prefix + ":partitions",
		Members: Members(prefix, "g"), Owned: Owned(prefix, "g"), Wake: Wake(prefix, "g"),
	}
}

func (r Roster) mustBeat(tb testing.TB, b Beat) Snapshot {
	tb.Helper()
	if b.TTL == 0 {
		b.TTL = minute
	}
	if b.Count == 0 {
		b.Count = 8
	}
	s, err := r.Beat(tb.Context(), b)
	require.NoError(tb, err)
	return s
}

func TestBeatJoins(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRoster(t, protocol)
			first := r.mustBeat(t, Beat{Member: "a", Owned: ""})
			require.Equal(t, map[string]string{"a": ""}, first.Owned)
			require.LessOrEqual(t, first.Soonest, minute)
			require.Greater(t, first.Soonest, 30*time.Second)
			require.Equal(t, "8", shared.Do(t, "HGET", r.Partitions, "n"))

			second := r.mustBeat(t, Beat{Member: "b", Owned: "1,5;7", Known: first.Version})
			require.NotEqual(t, first.Version, second.Version)
			require.Equal(t, map[string]string{"a": "", "b": "1,5;7"}, second.Owned)
			require.Equal(t, int64(1), shared.Do(t, "XLEN", r.Wake))
			last, _, err := Stream{Client: r.Client, Key: r.Wake}.LastID(t.Context())
			require.NoError(t, err)
			require.Equal(t, last.String(), second.Version, "who waits for the next one misses nothing")
		})
	}
}

func TestBeatThatChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	first := r.mustBeat(t, Beat{Member: "a", Owned: "1", TTL: 40 * time.Second})
	again := r.mustBeat(t, Beat{Member: "a", Owned: "1", Known: first.Version})
	require.Equal(t, first.Version, again.Version)
	require.Nil(t, again.Owned)
	require.Greater(t, again.Soonest, 40*time.Second, "it is a sign of life all the same")

	again = r.mustBeat(t, Beat{Member: "a", Owned: "1", Known: "1-1"})
	require.Equal(t, first.Version, again.Version)
	require.Equal(t, map[string]string{"a": "1"}, again.Owned, "the version was another one")
}

func TestBeatTellsOfWhatAMemberHas(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	r.mustBeat(t, Beat{Member: "a", Owned: "1"})
	known := r.mustBeat(t, Beat{Member: "b", Owned: "2"}).Version
	s := r.mustBeat(t, Beat{Member: "a", Owned: "1,3", Known: known})
	require.NotEqual(t, known, s.Version)
	require.Equal(t, map[string]string{"a": "1,3", "b": "2"}, s.Owned)
	s = r.mustBeat(t, Beat{Member: "a", Owned: "", Known: s.Version})
	require.Equal(t, map[string]string{"a": "", "b": "2"}, s.Owned)
}

func TestBeatRemovesWhoIsOverdue(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	r.mustBeat(t, Beat{Member: "a", Owned: "1"})
	s := r.mustBeat(t, Beat{Member: "b", Owned: "2", TTL: time.Second})
	require.LessOrEqual(t, s.Soonest, time.Second)
	require.Positive(t, s.Soonest)
	known := s.Version
	require.Eventually(t, func() bool {
		s = r.mustBeat(t, Beat{Member: "a", Owned: "1", Known: known})
		return s.Version != known
	}, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, map[string]string{"a": "1"}, s.Owned)
	require.Equal(t, []any{"a"}, shared.Do(t, "ZRANGE", r.Members, "0", "-1"))

	s = r.mustBeat(t, Beat{Member: "b", Owned: "", Known: s.Version})
	require.Equal(t, map[string]string{"a": "1", "b": ""}, s.Owned, "it may come back")
}

func TestNobodyLivesLongerThanTheTime(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	known := r.mustBeat(t, Beat{Member: "a"}).Version
	known = r.mustBeat(t, Beat{Member: "b", Known: known}).Version
	ahead := time.Now().Add(24 * time.Hour).UnixMilli() // the server's clock went back
	shared.Do(t, "ZADD", r.Members, strconv.FormatInt(ahead, 10), "b")
	s := r.mustBeat(t, Beat{Member: "a", Known: known})
	require.Equal(t, known, s.Version)
	score, err := strconv.ParseInt(as[string](t, shared.Do(t, "ZSCORE", r.Members, "b")), 10, 64)
	require.NoError(t, err)
	requireIn(t, minute, time.UnixMilli(score))
}

func TestBeatForAnotherNumberOfPartitions(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	shared.Do(t, "HSET", r.Partitions, "n", "12")
	_, err := r.Beat(t.Context(), Beat{Member: "a", TTL: minute, Count: 8})
	var other *CountError
	require.ErrorAs(t, err, &other)
	require.Equal(t, 12, other.Recorded)
	require.ErrorContains(t, err, "12")
	require.Equal(t, int64(0), shared.Do(t, "EXISTS", r.Members, r.Owned, r.Wake), "it is no member")
	r.mustBeat(t, Beat{Member: "a", Count: 12})
}

func TestLeaveTakesAMemberOff(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	r.mustBeat(t, Beat{Member: "a", Owned: "1"})
	known := r.mustBeat(t, Beat{Member: "b", Owned: "2"}).Version
	require.NoError(t, r.Leave(t.Context(), "b"))
	require.Equal(t, int64(1), shared.Do(t, "XLEN", r.Wake))
	s := r.mustBeat(t, Beat{Member: "a", Owned: "1", Known: known})
	require.NotEqual(t, known, s.Version)
	require.Equal(t, map[string]string{"a": "1"}, s.Owned)

	require.NoError(t, r.Leave(t.Context(), "b"))
	again := r.mustBeat(t, Beat{Member: "a", Owned: "1", Known: s.Version})
	require.Equal(t, s.Version, again.Version, "a second time is no news")
}

func TestBeatOfALostRoster(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	known := r.mustBeat(t, Beat{Member: "a", Owned: "1"}).Version
	for _, key := range []string{r.Members, r.Owned, r.Wake, r.Partitions} {
		shared.Do(t, "DEL", key)
		time.Sleep(2 * time.Millisecond) // a new stream begins with the ID of the time
		s := r.mustBeat(t, Beat{Member: "a", Owned: "1", Known: known})
		require.True(t, key == r.Partitions || s.Version != known, key)
		require.Equal(t, "8", shared.Do(t, "HGET", r.Partitions, "n"))
		known = s.Version
	}
}

func TestRosterOfAServerThatRefuses(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{"-ERR no\r\n", array(), array(number(1)), array(text("x"), number(1)), array(number(-1), text("x")), array(number(1), text("1-1"))} {
		r := Roster{Client: mock(t, reply), Partitions: "p", Members: "m", Owned: "o", Wake: "w"}
		_, err := r.Beat(t.Context(), Beat{Member: "a"})
		require.Error(t, err, reply)
	}
}

func TestWhoIsOnNoListHasNothing(t *testing.T) {
	t.Parallel()
	r := newRoster(t)
	r.mustBeat(t, Beat{Member: "gone", Owned: "1,2"})
	before := r.mustBeat(t, Beat{Member: "a", Owned: "3"})
	shared.Do(t, "DEL", r.Members)
	after := r.mustBeat(t, Beat{Member: "a", Owned: "3", Known: before.Version})
	require.Equal(t, map[string]string{"a": "3"}, after.Owned)
}
