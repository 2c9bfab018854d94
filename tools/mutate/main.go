// Mutate puts small faults of concurrency into packages, one at a time, and says
// which of them the tests do not notice.
//
//	go run ./tools/mutate [flags] PACKAGE…
//
// A fault is an Unlock that is dropped, a second look that is not taken, a value
// that is published too soon; -help lists the operators. A mutant, a package with
// one fault, is compiled by way of an overlay, so that no file is changed, and is
// killed if a test fails, panics, or hangs. A package without tests is tested by those
// that import it. With -users, -explore and -race whoever
// survives is tested further: by the packages that import the mutated one, by the
// schedule explorer, with the race detector. Whoever survives that has a reason in
// the file that -reasons names, or lacks a test. Mutants whose reason says that they
// do the same as the package itself do not count.
//
// The report goes to standard output, progress to standard error. The exit
// status is 0 if enough of the mutants were killed, 1 if they were not, 2 if the
// tests fail without a mutant or the command is called wrongly, and 130 if it is
// interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
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

// mutate is the program, run in dir. It returns the exit status.
func mutate(ctx context.Context, dir string, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var r *report
	if err == nil {
		r, err = do(ctx, dir, o, stdout, stderr)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(stderr, "mutate: %v\n", err)
		return 2
	}
	if r != nil {
		write := r.writeText
		if o.json {
			write = r.writeJSON
		}
		if err := write(stdout); err != nil {
			fmt.Fprintf(stderr, "mutate: %v\n", err)
			return 2
		}
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "mutate: interrupted")
		return 130
	case r == nil || r.good():
		return 0
	}
	return 1
}

// do tries the mutants that o asks for. There is a report, of those that were
// tried, also if ctx has ended meanwhile, and none if they are only listed.
func do(ctx context.Context, dir string, o options, stdout, stderr io.Writer) (*report, error) {
	r := &report{min: o.min}
	var err error
	if o.reasons != "" {
		if r.reasons, err = readReasons(o.reasons); err != nil {
			return nil, err
		}
	}
	sources, err := load(ctx, dir, o.tags, o.patterns)
	if err != nil {
		return nil, err
	}
	var all []*mutant
	for _, s := range sources {
		all = append(all, s.mutants(operators)...)
	}
	r.stale = r.reasons.stale(sources, all)
	all = slices.DeleteFunc(all, func(m *mutant) bool {
		return !slices.Contains(o.operators, m.operator) || !o.only.MatchString(m.id) && !o.only.MatchString(m.key)
	})
	place := map[*mutant]int{}
	for i, m := range all {
		place[m] = i
	}
	known := len(all)
	if o.sample > 0 || o.budget > 0 {
		for r.seed = o.seed; r.seed == 0; {
			r.seed = rand.Uint64() // which mutants they are, decides no outcome
		}
		rand.New(rand.NewPCG(r.seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if o.sample > 0 {
			all = all[:min(o.sample, len(all))]
		}
	}
	if o.list {
		for _, m := range all {
			fmt.Fprintf(stdout, "%s\t%s\n", m.id, m.key)
		}
		return nil, nil
	}
	r.verdicts, err = tryAll(ctx, o, all, stderr)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	r.untried = known - len(r.verdicts)
	slices.SortFunc(r.verdicts, func(a, b verdict) int { return place[a.mutant] - place[b.mutant] })
	return r, nil
}

// tryAll tries the mutants, some at once, until the budget is used up.
func tryAll(ctx context.Context, o options, all []*mutant, stderr io.Writer) (verdicts []verdict, err error) {
	temp, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	run := runner{
		temp: temp, timeout: o.timeout, short: o.short, users: o.users, explore: o.explore, race: o.race,
		tags: o.tags, tests: o.tests, bases: map[stage]func() (time.Duration, error){},
	}
	shown := newProgress(stderr, len(all))
	defer shown.close()
	begun := time.Now()
	var mu sync.Mutex
	err = fan.ForEach(ctx, o.parallel, slices.Values(all), func(ctx context.Context, m *mutant) error {
		if o.budget > 0 && time.Since(begun) > o.budget {
			return nil
		}
		v, err := run.try(ctx, m)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		verdicts = append(verdicts, v)
		shown.add(v)
		return nil
	})
	return verdicts, err
}
