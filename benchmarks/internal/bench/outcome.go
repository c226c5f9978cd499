package bench

import (
	"fmt"
	"slices"
)

// Outcome is what the rounds of a case gave.
type Outcome struct {
	Case   Case
	Values map[string][][]float64 // by contestant, round and metric
	Notes  []string
}

// Row is what a table says of a contestant.
type Row struct {
	Case, Contestant, Unit string

	Value, Rate float64 // medians; Rate 0 is none
	Ratio       *Ratio  // nil for ours
	Target      string  // "" is none
	Verdict     string  // ok or short, "" without a target
}

// Ratio is how many times the cost of ours another one has.
type Ratio struct{ Median, Min, Max float64 }

// Rows has one row for each metric and contestant.
func (o Outcome) Rows() []Row {
	var rows []Row
	for m, metric := range o.Case.Metrics {
		for _, contestant := range o.Case.Contestants {
			rows = append(rows, o.row(m, metric, contestant.Name))
		}
	}
	return rows
}

func (o Outcome) row(m int, metric Metric, name string) Row {
	row := Row{Case: o.Case.Name, Contestant: name, Unit: metric.Unit, Value: median(o.values(m, name))}
	if metric.Name != "" {
		row.Case += " " + metric.Name
	}
	if metric.Rate {
		row.Rate = 1e6 / row.Value
	}
	if name != Ours {
		row.Ratio = o.ratio(m, name)
	}
	for _, target := range metric.Targets {
		switch {
		case len(target.Others) == 0 && name == Ours:
			row.Target, row.Verdict = fmt.Sprintf("≤ %g", target.Value), verdict(target.Value, row.Value)
		case len(target.Others) > 0 && name == o.best(m, target.Others):
			row.Target, row.Verdict = fmt.Sprintf("≥ %g", target.Value), verdict(row.Ratio.Median, target.Value)
		}
	}
	return row.check(metric.Limits)
}

func verdict(large, small float64) string {
	if large >= small {
		return "ok"
	}
	return "short"
}

// best is the one of the others with the lowest median.
func (o Outcome) best(m int, others []string) string {
	return slices.MinFunc(others, func(a, b string) int {
		if median(o.values(m, a)) < median(o.values(m, b)) {
			return -1
		}
		return 1
	})
}

// ratio compares with ours round by round.
func (o Outcome) ratio(m int, name string) *Ratio {
	ratios := o.values(m, name)
	for i, ours := range o.values(m, Ours) {
		ratios[i] /= ours
	}
	return &Ratio{Median: median(ratios), Min: slices.Min(ratios), Max: slices.Max(ratios)}
}

// values is a copy of one metric of a contestant, by round.
func (o Outcome) values(m int, name string) []float64 {
	values := make([]float64, len(o.Values[name]))
	for round, of := range o.Values[name] {
		values[round] = of[m]
	}
	return values
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
