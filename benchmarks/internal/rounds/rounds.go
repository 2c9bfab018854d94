// Package rounds runs the benchmarks in rounds. A round is one process that runs each
// benchmark once, the libraries of a work one after the other. So compared figures are
// measured within seconds, in one process and at one speed of the machine, and each
// round is an independent sample: another memory layout, another seed of every hash.
package rounds

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

const (
	binary = "github.com/tandemgo/tandem/benchmarks"
	// sweeps are the benchmarks that vary the number of items and of processors.
	sweeps = "^BenchmarkGrowth(Work)?$"
)

// Build builds the test binary of the benchmarks in a folder and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "benchmarks.test")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", path, binary).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c %s: %w\n%s", binary, err, out)
	}
	return path, nil
}

// A Plan describes a run.
type Plan struct {
	Binary    string // path of the test binary
	Bench     string // as -test.bench
	Benchtime string // as -test.benchtime
	Rounds    int    // without the one that counts parks
	Sweeps    int    // rounds of the sweeps
}

// Run runs the rounds, writes their output to raw, and a line for each round to progress.
// The first round warms up, checks that every benchmark does its work, and counts parks.
// Sweeps run in rounds of their own, each benchmark once. The error has the output of a
// round in which a benchmark has failed.
func (p Plan) Run(ctx context.Context, raw, progress io.Writer) error {
	begun := time.Now()
	run := func(round int, text string, args ...string) error {
		if _, err := fmt.Fprintf(raw, "%s: %d\n", results.RoundKey, round); err != nil {
			return err
		}
		fmt.Fprintf(progress, "%5s  %s\n", time.Since(begun).Round(time.Second), text)
		var output bytes.Buffer
		cmd := exec.CommandContext(ctx, p.Binary, append([]string{"-test.run", "^$"}, args...)...)
		cmd.Stdout = io.MultiWriter(&output, raw)
		cmd.Stderr = cmd.Stdout // the same writer, so that exec uses one goroutine for both
		cmd.WaitDelay = time.Second
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w\n%s", text, err, &output)
		}
		if !bytes.Contains(output.Bytes(), []byte("\nBenchmark")) && !bytes.HasPrefix(output.Bytes(), []byte("Benchmark")) {
			return fmt.Errorf("no benchmark matches %q", args[1])
		}
		return nil
	}
	text, args := "warming up and counting parks", []string{"-test.benchtime", "1x", "-parks"}
	for round := range p.Rounds + 1 {
		if round != results.ParksRound {
			text, args = fmt.Sprintf("round %d of %d", round, p.Rounds), []string{"-test.benchtime", p.Benchtime}
		}
		if err := run(round, text, append([]string{"-test.bench", p.Bench, "-test.skip", sweeps}, args...)...); err != nil {
			return err
		}
	}
	for round := 1; round <= p.Sweeps; round++ {
		text := fmt.Sprintf("sweep %d of %d over items and processors", round, p.Sweeps)
		if err := run(round, text, "-test.bench", sweeps, "-test.benchtime", "1x", "-test.cpu", cpus(runtime.NumCPU())); err != nil {
			return err
		}
	}
	return nil
}

// cpus returns the values of GOMAXPROCS of a sweep: powers of two up to the number of
// processors, and four times as many.
func cpus(processors int) string {
	var list strings.Builder
	for n := 1; n < processors; n *= 2 {
		fmt.Fprintf(&list, "%d,", n)
	}
	fmt.Fprintf(&list, "%d,%d", processors, 4*processors)
	return list.String()
}
