// Command survive tries the faults of Tandem's list on the libraries in the comparison,
// each in its own process, and writes the outcomes:
//
//	go run ./cmd/survive -out FAULTS.md
//	go run ./cmd/survive -ours           # only Tandem
//
// It exits with 1 if a trial could not be made or Tandem does not survive one, and 2 on
// wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
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
	if err := run(ctx, *atOnce, *ours, *out); err != nil {
		fmt.Fprintf(os.Stderr, "survive: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, atOnce int, ours bool, file string) error {
	scenarios := survive.All()
	if ours {
		scenarios = slices.DeleteFunc(scenarios, func(s survive.Scenario) bool { return !survive.Ours(s.Peer) })
	}
	results, err := survive.Run(ctx, scenarios, atOnce)
	if err != nil {
		return err
	}
	text := survive.Count(results)
	if !ours {
		if text, err = survive.Page(results); err != nil {
			return err
		}
	}
	var errs []error
	if file == "" {
		fmt.Print(text)
	} else {
		errs = append(errs, os.WriteFile(file, []byte(text), 0o644))
	}
	for _, r := range results {
		if survive.Ours(r.Peer) && r.Outcome != survive.Survives {
			errs = append(errs, fmt.Errorf("%s %s: %s", r.Name(), r.Outcome, r.Detail))
		}
	}
	return errors.Join(errs...)
}
