package main

import (
	"errors"
	"flag"
	"regexp"
)

// options are what the command line says.
type options struct {
	run        *regexp.Regexp
	rounds     int
	scale      float64
	write      string
	cpuProfile string
	alone      bool
}

func parse(args []string) (options, error) {
	var o options
	var pattern string
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	flags.StringVar(&pattern, "run", "", "run only the cases that match this regular `expression`")
	flags.IntVar(&o.rounds, "rounds", 7, "how many `rounds` of each case")
	flags.Float64Var(&o.scale, "scale", 1, "multiply the numbers of messages by this `factor`")
	flags.StringVar(&o.write, "write", "", "write the table between the markers in this `file`")
	flags.BoolVar(&o.alone, "alone", false, "run no contestant but ours, as for a profile")
	flags.StringVar(&o.cpuProfile, "cpuprofile", "", "write a CPU profile to this `file`")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	var err error
	if o.run, err = regexp.Compile(pattern); err != nil {
		return options{}, err
	}
	if o.rounds < 1 || o.scale <= 0 || flags.NArg() > 0 {
		return options{}, errors.New("-rounds is 1 or more, -scale is more than 0, and there are no other arguments")
	}
	if o.write != "" && (pattern != "" || o.alone) {
		return options{}, errors.New("-write takes all cases and contestants: a table of some would replace that of all")
	}
	return o, nil
}
