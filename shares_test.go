package redisstream

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShareIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]share{
		"":          {},
		"1,5,9":     {owned: []int{1, 5, 9}},
		"1,5,9;7":   {owned: []int{1, 5, 9}, out: []int{7}},
		";7,8":      {out: []int{7, 8}},
		"!":         {leaving: true},
		"!3;1":      {owned: []int{3}, out: []int{1}, leaving: true},
		"0,15":      {owned: []int{0, 15}},
		"!10,11;15": {owned: []int{10, 11}, out: []int{15}, leaving: true},
	} {
		require.Equal(t, want, parseShare(text, 16), text)
		require.Equal(t, text, want.String())
	}
	require.Equal(t, share{owned: []int{1}, out: []int{2}}, parseShare("1,16,-1,x,;2,99,", 16), "what is none of them is left out")
}

// group is a group's members as targets sees them.
type testGroup struct {
	n      int
	shares map[string]share
}

func (g testGroup) owners() []string { return divide(g.n, g.shares).owner }

// settle has all members follow their targets.
func (g testGroup) settle() (moved int) {
	before, after := g.owners(), targets(g.n, g.shares)
	for id, s := range g.shares {
		s.owned = nil
		for p, owner := range after {
			if owner == id {
				s.owned = append(s.owned, p)
			}
		}
		g.shares[id] = s
	}
	for p := range after {
		if before[p] != after[p] && before[p] != "" {
			moved++
		}
	}
	return moved
}

func (g testGroup) loads() []int {
	var loads []int
	for _, s := range g.shares {
		if !s.leaving {
			loads = append(loads, len(s.owned))
		}
	}
	slices.Sort(loads)
	return loads
}

// leastMoves is how many partitions have to move from present members for even shares: what
// they have above the greater shares, which go to those who have most.
func (g testGroup) leastMoves() int {
	owned := map[string]int{}
	for _, owner := range g.owners() {
		owned[owner]++
	}
	var have []int
	for id := range g.shares {
		have = append(have, owned[id])
	}
	slices.Sort(have)
	slices.Reverse(have)
	moves := 0
	for i, n := range have {
		fair := g.n / len(have)
		if i < g.n%len(have) {
			fair++
		}
		moves += max(n-fair, 0)
	}
	return moves
}

func TestSharesAreEvenAndMovesAreFew(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		g := testGroup{n: 1 + r.IntN(64), shares: map[string]share{}}
		for step := range 30 {
			if len(g.shares) > 0 && r.IntN(2) == 0 {
				for id := range g.shares { // a random one
					delete(g.shares, id)
					break
				}
			} else {
				g.shares[fmt.Sprintf("m%03d", r.IntN(1000))] = share{}
			}
			if len(g.shares) == 0 {
				continue
			}
			least := g.leastMoves()
			require.Equal(t, least, g.settle(), "seed %d, step %d", seed, step)
			loads := g.loads()
			require.LessOrEqual(t, loads[len(loads)-1]-loads[0], 1, "seed %d, step %d: %v", seed, step, loads)
			require.Zero(t, g.settle(), "once is enough")
			require.NotContains(t, g.owners(), "", "all have an owner")
		}
	}
}

func TestLeavingMemberKeepsWhatItHasAndTakesNothing(t *testing.T) {
	t.Parallel()
	owners := targets(6, map[string]share{"a": {owned: []int{0, 1}, leaving: true}, "b": {owned: []int{2}}, "c": {}})
	require.Equal(t, "a", owners[0])
	require.Equal(t, "a", owners[1])
	for _, owner := range owners[2:] {
		require.Contains(t, []string{"b", "c"}, owner)
	}
	require.Equal(t, []string{"", ""}, targets(2, map[string]share{"a": {leaving: true}}), "nobody is left")
}

func TestPartitionGoesToWhoCanReachIt(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"b", "a"}, targets(2, map[string]share{"a": {out: []int{0}}, "b": {}}))
	require.Equal(t, []string{"", "a"}, targets(2, map[string]share{"a": {out: []int{0}}}))
	// All that b could have is what it can't reach.
	require.Equal(t, []string{"a", "a"}, targets(2, map[string]share{"a": {owned: []int{0, 1}}, "b": {out: []int{0, 1}}}))
	owners := targets(4, map[string]share{"a": {owned: []int{0, 1, 2, 3}}, "b": {out: []int{2, 3}}})
	require.Equal(t, []string{"b", "b", "a", "a"}, owners)
}

func TestFirstOfTwoWhoSayTheSameHasIt(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a"}, divide(1, map[string]share{"b": {owned: []int{0}}, "a": {owned: []int{0}}}).owner)
}
