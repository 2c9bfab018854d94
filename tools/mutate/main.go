// Mutate puts small concurrency faults into packages, one at a time, and reports the
// faults that the tests do not notice.
//
//	go run ./tools/mutate [flags] PACKAGE…
//
// A fault is, for example, a dropped Unlock, a missing second check of a condition, or
// a value that is published too soon; -help lists the operators. A mutant is a package
// with one fault. It is compiled with an overlay, so no file is changed, and is killed
// if a test fails, panics or hangs. A package without tests is tested by the packages
// that import it. With -explore and -race the survivors are tested further, by the schedule
// explorer and with the race detector. A mutant that survives all tests has a reason in the
// file of -reasons, or lacks a test. Mutants whose reason begins with "equivalent:" behave
// like the original and do not count.
//
// The report goes to standard output, progress to standard error. The exit status is 0
// if at least 90 % of the mutants were killed, 1 if not, and 2 if the tests fail
// without a mutant, on an interrupt or on wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/tandemgo/tandem/fan"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := mutate(ctx, ".", os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are the command line.
type options struct {
	patterns []string
	only     *regexp.Regexp
	timeout  time.Duration
	parallel int
	short    bool
	race     bool
	explore  bool
	reasons  string
}

func parseFlags(args []string, stderr io.Writer) (o options, err error) {
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
	o.only = regexp.MustCompile("")
	fl.Func("only", "try only mutants whose id or key matches `REGEXP`; both contain the name of the operator", func(s string) (err error) { o.only, err = regexp.Compile(s); return err })
	fl.DurationVar(&o.timeout, "timeout", time.Minute, "how long the tests of a package may take")
	fl.IntVar(&o.parallel, "parallel", 2, "how many mutants are tried at once")
	fl.BoolVar(&o.short, "short", false, "run the tests with -short")
	fl.BoolVar(&o.explore, "explore", false, "test survivors with the schedule explorer, too: -tags points -run Explore, in full also with -short")
	fl.BoolVar(&o.race, "race", false, "test survivors with the race detector, too")
	fl.StringVar(&o.reasons, "reasons", "", "the `FILE` that says why mutants may survive")
	if err := fl.Parse(args); err != nil {
		return o, err
	}
	o.patterns = fl.Args()
	if len(o.patterns) == 0 {
		return o, errors.New("no package is named")
	}
	if o.parallel < 1 || o.timeout <= 0 {
		return o, fmt.Errorf("-parallel %d and -timeout %v must be more than 0", o.parallel, o.timeout)
	}
	return o, nil
}

// mutate is the program, run in dir. It returns the exit status.
func mutate(ctx context.Context, dir string, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var r *report
	if err == nil {
		r, err = do(ctx, dir, o, stderr)
	}
	if r != nil { // with the mutants that were tried before an error
		_, _ = io.WriteString(stdout, r.text())
	}
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "mutate: %v\n", err)
		return 2
	case r.all().share() < least:
		return 1
	}
	return 0
}

// do tries the mutants selected by o, several at once. The report has the mutants that
// were tried before an error.
func do(ctx context.Context, dir string, o options, stderr io.Writer) (*report, error) {
	reasons, err := readReasons(o.reasons)
	if err != nil {
		return nil, err
	}
	sources, err := load(ctx, dir, o.patterns)
	if err != nil {
		return nil, err
	}
	var all []*mutant
	for _, s := range sources {
		all = append(all, s.mutants(operators)...)
	}
	r := &report{reasons: reasons, stale: reasons.stale(sources, all)}
	all = slices.DeleteFunc(all, func(m *mutant) bool {
		return !o.only.MatchString(m.id) && !o.only.MatchString(m.key)
	})
	temp, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	run := runner{options: o, temp: temp, limits: map[stage]time.Duration{}}
	for _, m := range all {
		for _, s := range run.stages(m.pkg) {
			if run.limits[s] == 0 {
				if err := run.measure(ctx, s); err != nil {
					return r, err
				}
			}
		}
	}
	var mu sync.Mutex
	err = fan.ForEach(ctx, o.parallel, slices.Values(all), func(ctx context.Context, m *mutant) error {
		v, err := run.try(ctx, m)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		r.results = append(r.results, v)
		fmt.Fprintf(stderr, "%d of %d  %s: %s\n", len(r.results), len(all), v.id, v)
		return nil
	})
	slices.SortFunc(r.results, func(a, b result) int { return slices.Index(all, a.mutant) - slices.Index(all, b.mutant) })
	return r, err
}
