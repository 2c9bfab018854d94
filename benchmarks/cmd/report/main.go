// Command report runs the benchmarks in rounds and prints the main times and whether the
// bars are reached. It writes RESULTS.md, with charts, all figures, the bars, and the cases
// in which Tandem loses; and SCALING.md, on the growth with items and processors.
//
//	go run ./cmd/report -summary ../README.md  # everything, about half an hour
//	go run ./cmd/report -quick                 # only what the bars need, printed here
//
// A round is one process that runs every benchmark once. A round before the others checks
// that all benchmarks do their work, and counts how often goroutines park.
//
// It exits with 0 for any figures, 1 if a benchmark fails, and 2 on wrong usage.
package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
	"github.com/tandemgo/tandem/benchmarks/internal/page"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/internal/rounds"
	_ "github.com/tandemgo/tandem/benchmarks/peers" // for the versions of its modules
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(report(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options are the settings of a run.
type options struct {
	rounds.Plan
	out     string // empty for no pages
	raw     string
	from    string
	summary string
}

// parse returns the options in args, and prints what is wrong with them, or help, to w.
func parse(args []string, w io.Writer) (o options, err error) {
	fs := flag.NewFlagSet("report", flag.ContinueOnError)
	fs.SetOutput(w)
	quick := fs.Bool("quick", false, "run only what the bars need, less than 2 minutes: 3 rounds of 10ms and no sweep")
	fs.IntVar(&o.Rounds, "rounds", 0, "run every benchmark in `n` processes; an interval needs 6 (default 10)")
	fs.IntVar(&o.Sweeps, "sweeps", 0, "sweep over items and processors `n` times (default 3)")
	fs.StringVar(&o.Benchtime, "benchtime", "", "run each benchmark for `d` in each round (default 50ms)")
	fs.StringVar(&o.Bench, "bench", "", "run only benchmarks that match `regexp`, as go test does, and no sweep")
	fs.StringVar(&o.out, "out", "", "write RESULTS.md, SCALING.md and charts/ to `folder`\n(default . for all figures; with -quick, -bench and -from none is written without -out)")
	fs.StringVar(&o.raw, "raw", "", "keep the output of the benchmarks in `file`")
	fs.StringVar(&o.from, "from", "", "run nothing; take the output from `file`, as -raw has kept it")
	fs.StringVar(&o.summary, "summary", "", "put the table of the main times into `file` as well, between the lines for it")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: there are only flags", fs.Arg(0))
	}
	if !*quick && o.Bench == "" && o.from == "" {
		// A subset of the figures replaces all of them only on request.
		o.out, o.Sweeps = cmp.Or(o.out, "."), cmp.Or(o.Sweeps, 3)
	}
	if *quick {
		o.Rounds, o.Benchtime = cmp.Or(o.Rounds, 3), cmp.Or(o.Benchtime, "10ms")
		o.Bench = cmp.Or(o.Bench, bars.Pattern(bars.All))
	}
	o.Rounds, o.Benchtime, o.Bench = cmp.Or(o.Rounds, 10), cmp.Or(o.Benchtime, "50ms"), cmp.Or(o.Bench, ".")
	if o.Rounds < 1 || o.Sweeps < 0 {
		return o, fmt.Errorf("-rounds %d -sweeps %d: must not be negative", o.Rounds, o.Sweeps)
	}
	return o, nil
}

// report is the program. It returns the exit status.
func report(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err == flag.ErrHelp {
		return 0
	} else if err != nil {
		fmt.Fprintf(stderr, "report: %v\n", err)
		return 2
	}
	if err := do(ctx, o, "go run ./cmd/report "+strings.Join(args, " "), stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "report: %v\n", cmp.Or(context.Cause(ctx), err))
		return 1
	}
	return 0
}

func do(ctx context.Context, o options, command string, stdout, stderr io.Writer) error {
	if o.out != "" { // check this before the measurement
		if err := os.MkdirAll(o.out, 0o755); err != nil {
			return fmt.Errorf("-out: %w", err)
		}
	}
	if o.from == "" {
		raw, err := measure(ctx, o.Plan, command, stderr)
		if o.raw != "" && err == nil {
			err = os.WriteFile(o.raw, raw, 0o644)
		}
		if err != nil {
			return err
		}
		return write(o, bytes.NewReader(raw), stdout)
	}
	f, err := os.Open(o.from)
	if err != nil {
		return err
	}
	defer f.Close()
	return write(o, f, stdout)
}

// measure runs the benchmarks and returns their output.
func measure(ctx context.Context, plan rounds.Plan, command string, stderr io.Writer) ([]byte, error) {
	dir, err := os.MkdirTemp("", "tandem-report-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var raw bytes.Buffer
	if err := rounds.Describe(ctx, &raw, command); err != nil {
		return nil, err
	}
	fmt.Fprintln(stderr, "building the benchmarks")
	if plan.Binary, err = rounds.Build(ctx, dir); err != nil {
		return nil, err
	}
	err = plan.Run(ctx, &raw, stderr)
	return raw.Bytes(), err
}

// write prints the figures, the bars last, and writes the pages.
func write(o options, raw io.Reader, stdout io.Writer) error {
	r, err := results.Read(raw, cmp.Or(o.from, "output of the benchmarks"))
	if err != nil {
		return err
	}
	outcomes := bars.Judge(bars.All, r)
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	header, rows := page.Main(r)
	fmt.Fprintf(t, "nanoseconds, medians of %d rounds\n\n%s\n", r.Rounds, strings.Join(header, "\t"))
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	fmt.Fprintln(t)
	for _, v := range outcomes {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", v, v.Bar.Where(), v.Bar.Says(), v.Measured())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%s.\n", bars.Count(outcomes))
	if o.summary != "" {
		if err := page.Summarize(o.summary, r); err != nil {
			return err
		}
	}
	if o.out != "" {
		files, err := page.Write(o.out, r, outcomes)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "\nwrote %s to %s\n", strings.Join(files, ", "), o.out)
	}
	return nil
}
