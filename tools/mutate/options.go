package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// Options are the command line.
type options struct {
	patterns  []string
	operators []*operator
	only      *regexp.Regexp
	sample    int
	seed      uint64
	budget    time.Duration
	timeout   time.Duration
	parallel  int
	short     bool
	users     bool
	race      bool
	explore   bool
	tags      string
	tests     string
	reasons   string
	min       float64
	json      bool
	list      bool
}

func parseFlags(args []string, stderr io.Writer) (options, error) {
	var o options
	fl := flag.NewFlagSet("mutate", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.Usage = func() {
		fmt.Fprint(stderr, "usage: mutate [flags] PACKAGE…\n")
		fl.PrintDefaults()
		fmt.Fprint(stderr, "operators:\n")
		for _, op := range operators {
			fmt.Fprintf(stderr, "  %-10s  %s\n", op.name, op.says)
		}
	}
	var wanted, only string
	fl.StringVar(&wanted, "operators", "", "use only these `OPERATORS`, separated by commas; concurrent stands for all that count")
	fl.StringVar(&only, "only", "", "try only mutants whose id or key matches `REGEXP`")
	fl.IntVar(&o.sample, "sample", 0, "try only `N` mutants, at random")
	fl.Uint64Var(&o.seed, "seed", 0, "the `SEED` of the order; 0 takes another one each time")
	fl.DurationVar(&o.budget, "budget", 0, "begin with no mutant after this time; the order is random then")
	fl.DurationVar(&o.timeout, "timeout", time.Minute, "how long the tests of a package may take")
	fl.IntVar(&o.parallel, "parallel", 2, "how many mutants are tried at once")
	fl.BoolVar(&o.short, "short", false, "run the tests with -short")
	fl.BoolVar(&o.users, "users", false, "test survivors with the packages that import theirs, too")
	fl.BoolVar(&o.explore, "explore", false, "test survivors with the schedule explorer, too: -tags points -run Explore, in full also with -short")
	fl.BoolVar(&o.race, "race", false, "test survivors with the race detector, too")
	fl.StringVar(&o.tags, "tags", "", "build with these `TAGS`")
	fl.StringVar(&o.tests, "tests", "", "run only tests that match `REGEXP`")
	fl.StringVar(&o.reasons, "reasons", "", "the `FILE` that says why mutants may survive")
	fl.Float64Var(&o.min, "min", 90, "how many percent of the concurrent mutants are to be killed")
	fl.BoolVar(&o.json, "json", false, "write the report as JSON")
	fl.BoolVar(&o.list, "list", false, "list the mutants and try none")
	if err := fl.Parse(args); err != nil {
		return o, err
	}
	o.patterns, o.operators = fl.Args(), operators
	if wanted != "" {
		o.operators = nil
		for name := range strings.SplitSeq(wanted, ",") {
			known := len(o.operators)
			for _, op := range operators {
				if op.name == name || op.concurrent && name == "concurrent" {
					o.operators = append(o.operators, op)
				}
			}
			if len(o.operators) == known {
				return o, fmt.Errorf("-operators: there is no %q", name)
			}
		}
	}
	var err error
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	switch {
	case len(o.patterns) == 0:
		return o, errors.New("no package is named")
	case o.sample < 0:
		return o, fmt.Errorf("-sample must not be negative, got %d", o.sample)
	case o.parallel < 1:
		return o, fmt.Errorf("-parallel must be at least 1, got %d", o.parallel)
	case o.timeout <= 0:
		return o, fmt.Errorf("-timeout must be more than 0, got %v", o.timeout)
	}
	return o, nil
}
