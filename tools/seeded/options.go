package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"time"
)

// Options are the command line.
type options struct {
	files    []string
	only     *regexp.Regexp
	seed     uint64
	budget   time.Duration
	limit    time.Duration
	parallel int
	check    bool
}

func parseFlags(args []string, stderr io.Writer) (o options, err error) {
	fl := flag.NewFlagSet("seeded", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.Usage = func() {
		fmt.Fprint(stderr, "usage: seeded [flags] FILE…\n")
		fl.PrintDefaults()
	}
	var only string
	fl.StringVar(&only, "only", "", "hunt only bugs whose id matches `REGEXP`")
	fl.DurationVar(&o.limit, "limit", time.Minute, "how long the programs may look for one bug, in time of a processor")
	fl.DurationVar(&o.budget, "budget", 0, "begin with no bug after this time; the order is random then")
	fl.Uint64Var(&o.seed, "seed", 0, "the `SEED` of the order; 0 takes another one each time")
	fl.IntVar(&o.parallel, "parallel", 2, "how many bugs are hunted at once")
	fl.BoolVar(&o.check, "check", false, "see whether the bugs fit the code, and hunt none")
	if err := fl.Parse(args); err != nil {
		return o, err
	}
	o.files = fl.Args()
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w", err)
	}
	switch {
	case len(o.files) == 0:
		return o, errors.New("no file of bugs is named")
	case o.parallel < 1:
		return o, fmt.Errorf("-parallel must be at least 1, got %d", o.parallel)
	case o.limit <= 0:
		return o, fmt.Errorf("-limit must be more than 0, got %v", o.limit)
	}
	return o, nil
}
