// Package rounds runs the benchmarks in rounds. A round is one process that runs
// each benchmark once, the libraries of a work one after the other. So what is
// compared has run within seconds, in one process and at one speed of the machine,
// and each round is an independent sample: another layout of memory, another seed
// of every hash.
package rounds

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/internal/scaling"
)

// Package is where the benchmarks are.
const Package = "github.com/tandemgo/tandem/benchmarks"

// Build builds the test binary of the benchmarks in a folder and returns its
// path. What the compiler says goes to stderr.
func Build(ctx context.Context, dir string, stderr io.Writer) (string, error) {
	binary := filepath.Join(dir, "benchmarks.test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, Package)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := run(ctx, cmd); err != nil {
		return "", fmt.Errorf("go test -c %s: %w", Package, err)
	}
	if _, err := os.Stat(binary); err != nil { // go test -c is content with a package without tests
		return "", fmt.Errorf("go test -c %s: it has no benchmarks", Package)
	}
	return binary, nil
}

// A Plan says what is to run.
type Plan struct {
	Binary    string // the test binary
	Bench     string // as -test.bench
	Benchtime string // as -test.benchtime
	Rounds    int    // besides the one that counts parks
}

// Run runs the rounds, writes their output to raw, and tells watch how far it is.
// Round 0 warms up, finds out whether every benchmark does its work, and counts
// parks. The error is a *FailedError if a benchmark has failed, and the context's
// if that has ended. Sweeps are left out.
func (p Plan) Run(ctx context.Context, raw io.Writer, watch Watcher) error {
	for round := range p.Rounds + 1 {
		args := []string{"-test.bench", p.Bench, "-test.skip", scaling.Bench, "-test.benchtime", p.Benchtime}
		if round == results.ParksRound {
			args = append(args[:4:4], "-test.benchtime", "1x", "-parks")
		}
		if err := runRound(ctx, p.Binary, round, args, raw, watch); err != nil {
			return err
		}
	}
	return nil
}

// runRound runs the binary once.
func runRound(ctx context.Context, binary string, round int, args []string, raw io.Writer, watch Watcher) error {
	if _, err := fmt.Fprintf(raw, "%s: %d\n", results.RoundKey, round); err != nil {
		return err
	}
	watch.Round(round)
	var output bytes.Buffer
	lines := &lineWatcher{watch: watch}
	cmd := exec.CommandContext(ctx, binary, append([]string{"-test.run", "^$"}, args...)...)
	cmd.Stdout = io.MultiWriter(&output, raw, lines)
	cmd.Stderr = cmd.Stdout // the same, so that exec writes to it from one goroutine
	if err := run(ctx, cmd); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return &FailedError{Round: round, Output: output.String(), Err: err}
	}
	if lines.n == 0 {
		return fmt.Errorf("no benchmark matches %s", strconv.Quote(args[1]))
	}
	return nil
}

// run runs a command and does not wait for long for what it may have started
// itself, after ctx has ended.
func run(ctx context.Context, cmd *exec.Cmd) error {
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
