// Seeded puts known bugs back into packages, one at a time, and says which program
// of the explorer finds each of them, and how soon.
//
//	go run ./tools/seeded [flags] FILE…
//
// The files say what the bugs are; readBugs says how. A bug is compiled by way of
// an overlay, so that no file is changed. All programs of its package are run in
// more and more orders until one of them finds that something is wrong, with what
// it finds and the choices that lead there:
//
//	TANDEM_SCHEDULE=choices go test -tags points -run program package
//
// runs that order again, with the bug in place.
//
// The table goes to standard output, progress to standard error. The exit status
// is 0 if each bug that was hunted was found, 1 if one was not, 2 if one does not
// fit the code or the command is called wrongly, and 130 if it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tandemgo/tandem/fan"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	code := seeded(ctx, ".", os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// seeded is the program, run in dir. It returns the exit status.
func seeded(ctx context.Context, dir string, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	found := true
	if err == nil {
		found, err = do(ctx, dir, o, stdout, stderr)
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "seeded: interrupted")
		return 130
	case err != nil:
		fmt.Fprintf(stderr, "seeded: %v\n", err)
		return 2
	case !found:
		return 1
	}
	return 0
}

// do hunts the bugs that o asks for, and reports whether it has found them all.
func do(ctx context.Context, dir string, o options, stdout, stderr io.Writer) (bool, error) {
	h := hunter{limit: o.limit}
	var err error
	if h.root, err = module(ctx, dir); err != nil {
		return false, err
	}
	var all []*bug
	for _, file := range o.files {
		bugs, err := readBugs(file)
		if err != nil {
			return false, err
		}
		all = append(all, bugs...)
	}
	var errs []error
	ids := map[string]bool{}
	for _, b := range all {
		if ids[b.id] {
			errs = append(errs, fmt.Errorf("%s is there twice", b.id))
		}
		ids[b.id] = true
		_, err := b.plant(h.root)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil || o.check {
		return true, err
	}
	all = slices.DeleteFunc(all, func(b *bug) bool { return !o.only.MatchString(b.id) })
	known := slices.Clone(all)
	if o.budget > 0 {
		for o.seed == 0 {
			o.seed = rand.Uint64()
		}
		rand.New(rand.NewPCG(o.seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		fmt.Fprintf(stdout, "-seed %d\n", o.seed)
	}
	findings, err := h.huntAll(ctx, o, all, stderr)
	if err != nil {
		return false, err
	}
	slices.SortFunc(findings, func(a, b finding) int { return slices.Index(known, a.bug) - slices.Index(known, b.bug) })
	if err := writeTable(stdout, findings); err != nil {
		return false, err
	}
	n := 0
	var slowest time.Duration
	for _, f := range findings {
		if f.program != "" {
			n++
			slowest = max(slowest, f.took)
		}
	}
	fmt.Fprintf(stdout, "\n%d of %d found, each within %s s; %d more are listed.\n",
		n, len(findings), seconds(slowest), len(known)-len(findings))
	return n == len(findings), nil
}

// huntAll hunts the bugs, some at once, until the budget is used up.
func (h *hunter) huntAll(ctx context.Context, o options, all []*bug, stderr io.Writer) (findings []finding, err error) {
	if h.temp, err = os.MkdirTemp("", "seeded-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(h.temp)
	begun := time.Now()
	var mu sync.Mutex
	err = fan.ForEach(ctx, o.parallel, slices.Values(all), func(ctx context.Context, b *bug) error {
		if o.budget > 0 && time.Since(begun) > o.budget {
			return nil
		}
		f, err := h.hunt(ctx, b)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		findings = append(findings, f)
		fmt.Fprintf(stderr, "%d of %d  %s: %s\n", len(findings), len(all), b.id, f)
		return nil
	})
	return findings, err
}

func (f finding) String() string {
	if f.program == "" {
		return fmt.Sprintf("nobody has found it in %s s %s", seconds(f.took), f.why)
	}
	return fmt.Sprintf("found by %s, run %d, in %s s: %s", f.program, f.run, seconds(f.took), f.why)
}

// module returns the directory of the module that dir is in.
func module(ctx context.Context, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "env", "GOMOD")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
