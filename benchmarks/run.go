package main

import (
	"context"
	"fmt"
	"io"

	"github.com/watermill-rueidis/redisstream/benchmarks/internal/bench"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/cases"
	"github.com/watermill-rueidis/redisstream/benchmarks/internal/servers"
)

// run runs the chosen cases. It writes each to out as soon as it is done, and all of them to the
// file at the end.
func run(ctx context.Context, o options, out io.Writer) error {
	var readme *bench.Readme
	if o.write != "" {
		var err error
		if readme, err = bench.OpenReadme(o.write); err != nil {
			return err
		}
	}
	chosen := choose(o)
	if len(chosen) == 0 {
		return fmt.Errorf("no case matches %q", o.run)
	}
	started, err := servers.Start(ctx)
	if err != nil {
		return err
	}
	defer started.Stop()
	about, err := conditions(ctx, started, o)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, about); err != nil {
		return err
	}
	runner := &bench.Runner{Servers: started, Rounds: o.rounds, Scale: o.scale}
	var rows []bench.Row
	err = profiled(o.cpuProfile, func() error {
		rows, err = runAll(ctx, runner, chosen, out)
		return err
	})
	if err != nil || readme == nil {
		return err
	}
	return readme.Write(bench.Markdown(rows) + "\n" + about + "\n")
}

func runAll(ctx context.Context, runner *bench.Runner, chosen []bench.Case, out io.Writer) ([]bench.Row, error) {
	var all []bench.Row
	for _, c := range chosen {
		refused, err := refusal(ctx, runner.Servers, c)
		if err != nil {
			return nil, err
		}
		if refused != "" {
			if _, err := fmt.Fprintf(out, "\n%s is left out: %s\n", c.Name, refused); err != nil {
				return nil, err
			}
			continue
		}
		outcome, err := runner.Run(ctx, c)
		if err != nil {
			return nil, err
		}
		rows := outcome.Rows()
		if err := bench.WriteText(out, rows); err != nil {
			return nil, err
		}
		for _, note := range outcome.Notes {
			if _, err := fmt.Fprintln(out, " ", note); err != nil {
				return nil, err
			}
		}
		all = append(all, rows...)
	}
	return all, nil
}

// refusal says why a case can't be run here.
func refusal(ctx context.Context, s *servers.Servers, c bench.Case) (string, error) {
	if c.Refused == nil {
		return "", nil
	}
	return c.Refused(ctx, s)
}

func choose(o options) []bench.Case {
	var chosen []bench.Case
	for _, c := range cases.All() {
		if o.write != "" && c.Aside {
			continue
		}
		if o.alone {
			c = c.Alone()
		}
		if o.run.MatchString(c.Name) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
