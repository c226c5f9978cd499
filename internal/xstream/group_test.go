package xstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCreateLeavesAGroupAsItIs(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 2)
	require.NoError(t, g.Create(t.Context(), "0"))
	require.NoError(t, g.Create(t.Context(), "$"))
	position, err := g.Position(t.Context())
	require.NoError(t, err)
	require.Equal(t, ID{2, 1}, position)
	require.Len(t, pendingOf(t, g), 2)
}

func TestCreateStartsWhereItIsTold(t *testing.T) {
	t.Parallel()
	for start, want := range map[string]string{"0": "0-0", "2-1": "2-1", "$": "3-1"} {
		s := newStream(t, shared)
		add(t, s, 1, 3)
		for _, name := range []string{"a", "g"} { // Position finds its group among others
			require.NoError(t, Group{Stream: s, Name: name}.Create(t.Context(), map[string]string{"a": "1-0", "g": start}[name]))
		}
		position, err := Group{Stream: s, Name: "g"}.Position(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, position.String(), start)
	}
}

func TestCreateWhereThereIsNoStream(t *testing.T) {
	t.Parallel()
	s := newStream(t, shared)
	require.NoError(t, Group{Stream: s, Name: "g"}.Create(t.Context(), "$"))
	require.Equal(t, "stream", shared.Do(t, "TYPE", s.Key))
	shared.Do(t, "DEL", s.Key)
	shared.Do(t, "SET", s.Key, "no stream")
	err := Group{Stream: s, Name: "g"}.Create(t.Context(), "$")
	require.ErrorContains(t, err, "WRONGTYPE")
}

func TestAckSettlesWhoeversItIs(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 2)
	deliver(t, g, "other", 3, 4)
	n, err := g.Ack(t.Context(), []string{id(1), id(3), id(9)})
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	require.Equal(t, map[string]string{id(2): "me 1", id(4): "other 1"}, ownersOf(t, g))
}

func TestConsumers(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, protocol)
			consumers, err := g.Consumers(t.Context())
			require.NoError(t, err)
			require.Empty(t, consumers)
			deliver(t, g, "a", 1, 2)
			deliver(t, g, "b", 3, 3)
			time.Sleep(20 * time.Millisecond)
			consumers, err = g.Consumers(t.Context())
			require.NoError(t, err)
			require.Len(t, consumers, 2)
			for i, want := range []Consumer{{Name: "a", Pending: 2}, {Name: "b", Pending: 1}} {
				require.GreaterOrEqual(t, consumers[i].Idle, 20*time.Millisecond)
				require.Less(t, consumers[i].Idle, 10*time.Second)
				consumers[i].Idle = 0
				require.Equal(t, want, consumers[i])
			}
		})
	}
}

func TestConsumersWithoutAnIdleTime(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{array(bulks("name", "a", "pending", "1")), array(array(text("name"), text("a"), text("pending"), number(1), text("idle"), number(-1)))} {
		g := Group{Stream: Stream{Client: mock(t, reply), Key: "k"}, Name: "g"}
		consumers, err := g.Consumers(t.Context())
		require.NoError(t, err)
		require.Len(t, consumers, 1)
		require.Equal(t, "a", consumers[0].Name)
		require.Equal(t, int64(1), consumers[0].Pending)
		require.Negative(t, consumers[0].Idle, "unknown is not dead")
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGroup(t, protocol)
			summary, err := g.Summary(t.Context())
			require.NoError(t, err)
			require.Equal(t, Summary{}, summary)
			deliver(t, g, "a", 1, 12)
			deliver(t, g, "b", 13, 13)
			shared.Do(t, "XGROUP", "CREATECONSUMER", g.Key, g.Name, "idle")
			summary, err = g.Summary(t.Context())
			require.NoError(t, err)
			require.Equal(t, Summary{Total: 13, Lowest: id(1), Highest: id(13), ByConsumer: map[string]int64{"a": 12, "b": 1}}, summary)
		})
	}
}

func TestSummaryWithoutConsumers(t *testing.T) {
	t.Parallel()
	g := Group{Stream: Stream{Client: mock(t, array(number(1), text("1-1"), text("2-1"), "*-1\r\n")), Key: "k"}, Name: "g"}
	summary, err := g.Summary(t.Context())
	require.NoError(t, err)
	require.Equal(t, Summary{Total: 1, Lowest: id(1), Highest: id(2)}, summary)
}

func TestPendingQueries(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "a", 1, 3)
	deliver(t, g, "b", 4, 6)
	set(t, g, "a", 60_000, 2, id(2))
	set(t, g, "b", 60_000, 3, id(5))
	for name, c := range map[string]struct {
		query PendingQuery
		want  []string
	}{
		"all":               {PendingQuery{Count: 100}, ids(1, 6)},
		"count":             {PendingQuery{Count: 2}, ids(1, 2)},
		"no count":          {PendingQuery{}, ids(1, 1)},
		"negative count":    {PendingQuery{Count: -1}, ids(1, 1)},
		"from":              {PendingQuery{From: ID{3, 1}, Count: 2}, ids(3, 4)},
		"behind":            {PendingQuery{From: ID{3, 1}.Next(), Count: 2}, ids(4, 5)},
		"consumer":          {PendingQuery{Consumer: "b", Count: 100}, ids(4, 6)},
		"unknown consumer":  {PendingQuery{Consumer: "c", Count: 100}, nil},
		"idle":              {PendingQuery{MinIdle: 30 * time.Second, Count: 100}, []string{id(2), id(5)}},
		"idle of a":         {PendingQuery{MinIdle: 30 * time.Second, Consumer: "a", Count: 100}, []string{id(2)}},
		"idle, nothing":     {PendingQuery{MinIdle: time.Hour, Count: 100}, nil},
		"idle, count, from": {PendingQuery{MinIdle: 30 * time.Second, From: ID{3, 0}, Count: 1}, []string{id(5)}},
	} {
		pending, err := g.Pending(t.Context(), c.query)
		require.NoError(t, err, name)
		var got []string
		for _, p := range pending {
			got = append(got, p.ID.String())
		}
		require.Equal(t, c.want, got, name)
	}
	pending, err := g.Pending(t.Context(), PendingQuery{Consumer: "b", From: ID{5, 1}, Count: 1})
	require.NoError(t, err)
	require.GreaterOrEqual(t, pending[0].Idle, time.Minute)
	require.Less(t, pending[0].Idle, 2*time.Minute)
	pending[0].Idle = 0
	require.Equal(t, []Pending{{ID: ID{5, 1}, Consumer: "b", Deliveries: 3}}, pending)
}

// Some servers answer nothing with a null instead of an empty list.
func TestPendingOfANull(t *testing.T) {
	t.Parallel()
	g := Group{Stream: Stream{Client: mock(t, "*-1\r\n"), Key: "k"}, Name: "g"}
	pending, err := g.Pending(t.Context(), PendingQuery{Count: 1})
	require.NoError(t, err)
	require.Empty(t, pending)
}

func TestMarkOfAKeyThatIsNone(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	_, err := g.Mark(t.Context(), g.Key)
	require.ErrorContains(t, err, "WRONGTYPE")
}

func TestLastID(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStream(t, shared, protocol)
			last, exists, err := s.LastID(t.Context())
			require.NoError(t, err)
			require.False(t, exists)
			require.Zero(t, last)

			add(t, s, 1, 3)
			shared.Do(t, "XDEL", s.Key, id(3))
			last, exists, err = s.LastID(t.Context())
			require.NoError(t, err)
			require.True(t, exists)
			require.Equal(t, ID{3, 1}, last, "the last one ever, not the last one left")

			shared.Do(t, "DEL", s.Key)
			require.NoError(t, Group{Stream: s, Name: "g"}.Create(t.Context(), "0"))
			last, exists, err = s.LastID(t.Context())
			require.NoError(t, err)
			require.True(t, exists)
			require.Zero(t, last)

			shared.Do(t, "DEL", s.Key)
			shared.Do(t, "SET", s.Key, "no stream")
			_, exists, err = s.LastID(t.Context())
			require.ErrorContains(t, err, "WRONGTYPE")
			require.False(t, exists)
		})
	}
}

func TestLastIDOfAnEmptyWord(t *testing.T) {
	t.Parallel()
	last, exists, err := Stream{Client: mock(t, bulks("last-generated-id", "")), Key: "k"}.LastID(t.Context())
	require.NoError(t, err)
	require.True(t, exists)
	require.Zero(t, last)
}
