package bench

import (
	"fmt"
	"slices"
)

// A Limit is the most that each of some contestants may cost.
type Limit struct {
	Contestants []string // nil is all of them
	Cost        float64  // 0 is no limit
	Ratio       float64  // in times the cost of ours; 0 is no limit
}

// check returns the row with what the limits say of it.
func (r Row) check(limits []Limit) Row {
	for _, limit := range limits {
		if limit.Contestants != nil && !slices.Contains(limit.Contestants, r.Contestant) {
			continue
		}
		switch {
		case limit.Cost > 0:
			r.Target, r.Verdict = fmt.Sprintf("≤ %.3g", limit.Cost), verdict(limit.Cost, r.Value)
		case limit.Ratio > 0 && r.Ratio != nil:
			r.Target, r.Verdict = fmt.Sprintf("ratio ≤ %.3g", limit.Ratio), verdict(limit.Ratio, r.Ratio.Median)
		}
	}
	return r
}
