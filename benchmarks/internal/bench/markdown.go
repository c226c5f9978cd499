package bench

import (
	"fmt"
	"strings"
)

// Markdown is a table of the rows. A ratio is how many times the cost of ours a contestant has.
func Markdown(rows []Row) string {
	var b strings.Builder
	b.WriteString("| Case | Contestant | Cost | Messages/s | Ratio to ours (min–max) | Target |\n|---|---|--:|--:|--:|---|\n")
	title := ""
	for _, row := range rows {
		name := ""
		if row.Case != title {
			title, name = row.Case, row.Case
		}
		_, _ = fmt.Fprintf(&b, "| %s | %s | %s %s | %s | %s | %s |\n", name, row.Contestant,
			digits(row.Value), row.Unit, row.rate(), row.ratioAndSpread(), strings.TrimSpace(row.Target+" "+row.Verdict))
	}
	return b.String()
}

func (r Row) ratioAndSpread() string {
	if r.Ratio == nil {
		return ""
	}
	return r.ratio() + " (" + r.spread() + ")"
}
