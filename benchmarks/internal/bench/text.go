package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteText writes the rows for a terminal.
func WriteText(out io.Writer, rows []Row) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	title := ""
	for _, row := range rows {
		if row.Case != title {
			title = row.Case
			_, _ = fmt.Fprintf(table, "\n%s\t%s\tmessages/s\tratio\tmin–max\ttarget\t\n", title, row.Unit)
		}
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Contestant,
			digits(row.Value), row.rate(), row.ratio(), row.spread(), row.Target, row.Verdict)
	}
	return table.Flush() // with the error of any write
}

func (r Row) rate() string {
	if r.Rate == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f", r.Rate)
}

func (r Row) ratio() string {
	if r.Ratio == nil {
		return ""
	}
	return digits(r.Ratio.Median)
}

func (r Row) spread() string {
	if r.Ratio == nil {
		return ""
	}
	return digits(r.Ratio.Min) + "–" + digits(r.Ratio.Max)
}

// digits has three that count.
func digits(value float64) string {
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	case value >= 0.1:
		return fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%.3g", value)
}
