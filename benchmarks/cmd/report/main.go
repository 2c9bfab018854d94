// Command report runs the benchmarks in rounds and writes RESULTS.md with charts:
// all figures, whether they reach what was aimed at, and where Tandem loses; and
// SCALING.md: how it grows with items and processors.
//
//	go run ./cmd/report         # everything: half an hour or so
//	go run ./cmd/report -quick  # only what the bars need, printed here
//
// It exits with 0 whatever the figures are, 1 if a benchmark fails, 2 if it is
// called wrongly, and 130 if it is interrupted.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
	"github.com/tandemgo/tandem/benchmarks/internal/machine"
	"github.com/tandemgo/tandem/benchmarks/internal/page"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/internal/rounds"
	"github.com/tandemgo/tandem/benchmarks/internal/scaling"
	_ "github.com/tandemgo/tandem/benchmarks/peers" // whose versions are told
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(report(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func report(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parse(args, stderr)
	if err != nil {
		if errors.Is(err, errHelp) {
			return 0
		}
		fmt.Fprintf(stderr, "report: %v\nreport -help says more\n", err)
		return 2
	}
	if err := do(ctx, opts, stdout, stderr); err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(stderr, "report: interrupted")
			return 130
		}
		fmt.Fprintf(stderr, "report: %v\n", err)
		return 1
	}
	return 0
}

func do(ctx context.Context, opts options, stdout, stderr io.Writer) error {
	if opts.out != "" { // found out before everything is measured
		if err := os.MkdirAll(opts.out, 0o755); err != nil {
			return fmt.Errorf("-out: %w", err)
		}
	}
	raw, name, err := opts.output(ctx, stderr)
	if err != nil {
		return err
	}
	r, err := results.Read(bytes.NewReader(raw), name)
	if err != nil {
		return err
	}
	verdicts := bars.Judge(bars.All, r)
	printBars(stdout, verdicts)
	if opts.summary != "" {
		if err := page.Summarize(opts.summary, r); err != nil {
			return err
		}
	}
	if opts.out == "" {
		return nil
	}
	files, err := page.Write(opts.out, r, verdicts)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nwrote %s and %d charts\n", files[0], len(files)-1)
	sweeps, err := scaling.Read(bytes.NewReader(raw), name)
	if err != nil {
		return err
	}
	if len(sweeps) == 0 {
		return nil
	}
	if err := scaling.Write(opts.out, page.Origin(r), sweeps); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "wrote %s\n", filepath.Join(opts.out, scaling.Page))
	return nil
}

// output returns what the benchmarks have printed, and what to call that in errors.
func (o options) output(ctx context.Context, stderr io.Writer) (raw []byte, name string, err error) {
	if o.from != "" {
		raw, err = os.ReadFile(o.from)
		return raw, o.from, err
	}
	raw, err = measure(ctx, o, stderr)
	return raw, "output of the benchmarks", err
}

// measure runs the benchmarks.
func measure(ctx context.Context, opts options, stderr io.Writer) (_ []byte, err error) {
	var kept bytes.Buffer
	raw := io.Writer(&kept)
	if opts.raw != "" {
		f, err := os.Create(opts.raw)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		raw = io.MultiWriter(raw, f)
	}
	dir, err := os.MkdirTemp("", "tandem-report-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	fmt.Fprintln(stderr, "building the benchmarks")
	facts := machine.Describe(ctx, opts.command())
	binary, err := rounds.Build(ctx, dir, stderr)
	if err != nil {
		return nil, err
	}
	if err := facts.Write(raw); err != nil {
		return nil, err
	}
	progress := rounds.NewProgress(stderr, isTerminal(stderr), "warming up and counting parks", opts.rounds)
	plan := rounds.Plan{Binary: binary, Bench: opts.bench, Benchtime: opts.benchtime, Rounds: opts.rounds}
	err = plan.Run(ctx, raw, progress)
	progress.Close()
	if err != nil || opts.sweeps == 0 {
		return kept.Bytes(), err
	}
	progress = rounds.NewProgress(stderr, isTerminal(stderr), "sweeping over items and processors", opts.sweeps-1)
	err = rounds.Sweeps{Binary: binary, Times: opts.sweeps}.Run(ctx, raw, progress)
	progress.Close()
	return kept.Bytes(), err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func printBars(w io.Writer, verdicts []bars.Verdict) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range verdicts {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", v, v.Bar.Where(), v.Bar.Says(), v.Measured())
	}
	_ = t.Flush() // if the output cannot be written, nor can this
	fmt.Fprintf(w, "\n%s.\n", bars.Count(verdicts))
}
