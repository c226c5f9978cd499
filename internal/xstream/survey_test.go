package xstream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSurveySaysWhatIsAskedOfEach(t *testing.T) {
	t.Parallel()
	for name, protocol := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			some := newGroup(t, protocol)
			deliver(t, some, "me", 1, 2)
			add(t, some.Stream, 3, 3)
			none := Group{Stream: newStream(t, shared), Name: "g"}
			require.NoError(t, none.Create(t.Context(), "$"))
			missing := Group{Stream: some.Stream, Name: "another"}
			absent := Group{Stream: newStream(t, shared), Name: "g"}
			groups := []Group{some, none, missing, absent}

			totals := Totals(t.Context(), some.Client, groups)
			require.Equal(t, []Total{{Pending: 2}, {}}, totals[:2])
			require.Equal(t, NoGroup, Classify(totals[2].Err))
			require.Equal(t, NoGroup, Classify(totals[3].Err))

			standings := Standings(t.Context(), some.Client, groups)
			require.Equal(t, []Standing{{Position: ID{2, 1}, Last: ID{3, 1}}, {}}, standings[:2])
			require.Error(t, standings[2].Err)
			require.Error(t, standings[3].Err)
		})
	}
}

func TestSurveyGoesOnPageByPage(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	deliver(t, g, "me", 1, 1)
	groups := make([]Group, 2*surveyPage+1)
	for i := range groups {
		groups[i] = g
	}
	for _, total := range Totals(t.Context(), g.Client, groups) {
		require.Equal(t, Total{Pending: 1}, total)
	}
}

func TestSurveyOfALostServer(t *testing.T) {
	t.Parallel()
	g := newGroup(t)
	g.Client.Close()
	require.Error(t, Totals(t.Context(), g.Client, []Group{g})[0].Err)
	require.Error(t, Standings(t.Context(), g.Client, []Group{g})[0].Err)
}
