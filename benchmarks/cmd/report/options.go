package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
)

// options is what to do.
type options struct {
	quick     bool
	rounds    int
	benchtime string
	bench     string
	out       string // empty to write nothing
	raw       string
	from      string
	summary   string
	sweeps    int
}

// errHelp says that help was asked for, and printed.
var errHelp = errors.New("help")

const usage = `usage: go run ./cmd/report [flags]

Runs the benchmarks in rounds and writes RESULTS.md and charts/: medians with
intervals, bars and whether they are reached, and where Tandem loses; SCALING.md
says how it grows with items and processors. A round is
one process that runs every benchmark once; one more before them finds out whether
all do their work, and counts how often goroutines park.

`

// parse returns what args ask for. What it prints goes to w.
func parse(args []string, w io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("report", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are told once, by the caller
	fs.BoolVar(&o.quick, "quick", false, "run only what the bars need: 3 rounds of 10ms each, less than 2 minutes;\nprint the bars, and write files only if there is -out")
	fs.IntVar(&o.rounds, "rounds", 10, "run every benchmark in so many processes; an interval takes 6")
	fs.StringVar(&o.benchtime, "benchtime", "50ms", "run each benchmark for `d` in each round, or for a number of operations, as 100x")
	fs.StringVar(&o.bench, "bench", ".", "run only benchmarks that match `regexp`, as go test does;\nfiles are written only if there is -out")
	fs.StringVar(&o.out, "out", ".", "write RESULTS.md and charts/ to `folder`")
	fs.StringVar(&o.raw, "raw", "", "keep the output of the benchmarks in `file`")
	fs.StringVar(&o.from, "from", "", "run nothing; take the output from `file`, as -raw has kept it")
	fs.IntVar(&o.sweeps, "sweeps", 3, "sweep over items and processors so many times; 0 with -quick and -bench")
	fs.StringVar(&o.summary, "summary", "", "put the table of the main figures into `file` as well, between the lines for it")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(w, usage)
			fs.SetOutput(w)
			fs.PrintDefaults()
			return o, errHelp
		}
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: there are only flags", fs.Arg(0))
	}
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })

	if o.from != "" {
		for _, name := range []string{"quick", "rounds", "benchtime", "bench", "raw", "sweeps"} {
			if given[name] {
				return o, fmt.Errorf("-from %s: runs nothing, so it allows no -%s", o.from, name)
			}
		}
	}
	if o.quick {
		if !given["rounds"] {
			o.rounds = 3
		}
		if !given["benchtime"] {
			o.benchtime = "10ms"
		}
		if !given["bench"] {
			o.bench = bars.Pattern(bars.All)
		}
	}
	if (o.quick || given["bench"]) && !given["sweeps"] {
		o.sweeps = 0
	}
	// A part of the figures is not to take the place of all of them unasked.
	if (o.quick || given["bench"]) && !given["out"] {
		o.out = ""
	}
	return o, o.check()
}

func (o options) check() error {
	if o.rounds < 1 {
		return fmt.Errorf("-rounds %d: must be at least 1", o.rounds)
	}
	if o.sweeps < 0 {
		return fmt.Errorf("-sweeps %d: must not be negative", o.sweeps)
	}
	if _, err := regexp.Compile(o.bench); err != nil {
		return fmt.Errorf("-bench %q: %w", o.bench, err)
	}
	if n, ok := strings.CutSuffix(o.benchtime, "x"); ok {
		if times, err := strconv.Atoi(n); err == nil && times > 0 {
			return nil
		}
	} else if d, err := time.ParseDuration(o.benchtime); err == nil && d > 0 {
		return nil
	}
	return fmt.Errorf("-benchtime %q: must be a positive duration, as 50ms, or a number of operations, as 100x", o.benchtime)
}

// command returns how to run the same again.
func (o options) command() string {
	c := "go run ./cmd/report"
	if o.quick {
		c += " -quick"
	}
	c += fmt.Sprintf(" -rounds %d -benchtime %s", o.rounds, o.benchtime)
	if o.sweeps > 0 {
		c += fmt.Sprintf(" -sweeps %d", o.sweeps)
	}
	if o.bench != "." && !(o.quick && o.bench == bars.Pattern(bars.All)) {
		c += fmt.Sprintf(" -bench '%s'", strings.ReplaceAll(o.bench, "'", `'\''`))
	}
	return c
}
