// Command survive tries the faults of Tandem's list on the libraries that it is
// compared with, each in a process of its own, and writes who survives what:
//
//	go run ./cmd/survive -out FAULTS.md
//	go run ./cmd/survive -ours           # Tandem alone, in seconds
//
// It exits with 1 if a trial could not be made or Tandem does not survive one, 2 if
// it is called wrongly, and 130 if it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/tandemgo/tandem/benchmarks/internal/survive"
)

func main() {
	survive.Child(survive.All())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "", "`file` to write; standard output if empty")
	ours := flag.Bool("ours", false, "try Tandem alone, and write no page")
	atOnce := flag.Int("at-once", runtime.GOMAXPROCS(0), "how many trials at a time")
	flag.Parse()
	if flag.NArg() > 0 || *atOnce < 1 {
		flag.Usage()
		os.Exit(2)
	}
	scenarios := survive.All()
	if *ours {
		scenarios = slices.DeleteFunc(scenarios, func(s survive.Scenario) bool { return !survive.Ours(s.Peer) })
	}
	err := run(ctx, scenarios, *atOnce, *ours, *out)
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "survive: interrupted")
		os.Exit(130)
	case err != nil:
		fmt.Fprintf(os.Stderr, "survive: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, scenarios []survive.Scenario, atOnce int, brief bool, file string) error {
	results, err := survive.Run(ctx, scenarios, atOnce)
	if err != nil {
		return err
	}
	var b strings.Builder
	if brief {
		err = survive.Count(&b, results)
	} else {
		err = page(&b, results)
	}
	if err != nil {
		return err
	}
	if file == "" {
		_, err = io.WriteString(os.Stdout, b.String())
	} else {
		err = os.WriteFile(file, []byte(b.String()), 0o644)
	}
	return errors.Join(err, victims(results))
}

// victims is an error that names what Tandem has not survived.
func victims(results []survive.Result) error {
	var errs []error
	for _, r := range results {
		if survive.Ours(r.Peer) && r.Outcome != survive.Survives {
			errs = append(errs, fmt.Errorf("%s %s: %s", r.Name(), r.Outcome, r.Detail))
		}
	}
	return errors.Join(errs...)
}
