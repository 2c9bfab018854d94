// Seeded puts known bugs back into packages, one at a time, and reports which program
// of the explorer finds each of them, and how soon.
//
//	go run ./tools/seeded [flags] FILE…
//
// The files describe the bugs in the format of readBugs. A bug is compiled with an
// overlay, so no file is changed. All programs of its package are run in more and more
// orders until one of them fails. The report has its message and the choices that lead
// to it:
//
//	TANDEM_SCHEDULE=choices go test -tags points -run program package
//
// runs that order again, with the bug in place.
//
// The exit status is 0 if every bug was found, 1 if one was not, and 2 if one does not fit
// the code, on an interrupt or on wrong usage.
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
	"path/filepath"
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
	code := seeded(ctx, ".", os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// options are the command line.
type options struct {
	files  []string
	only   *regexp.Regexp
	budget time.Duration
	limit  time.Duration
	check  bool
}

func parseFlags(args []string, stderr io.Writer) (o options, err error) {
	fl := flag.NewFlagSet("seeded", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.Usage = func() {
		fmt.Fprint(stderr, "usage: seeded [flags] FILE…\n")
		fl.PrintDefaults()
	}
	o.only = regexp.MustCompile("")
	fl.Func("only", "hunt only bugs whose id matches `REGEXP`", func(s string) (err error) { o.only, err = regexp.Compile(s); return err })
	fl.DurationVar(&o.limit, "limit", time.Minute, "how long the programs may look for one bug, in time of a processor")
	fl.DurationVar(&o.budget, "budget", 0, "begin with no bug after this time; the order is random then")
	fl.BoolVar(&o.check, "check", false, "see whether the bugs fit the code, and hunt none")
	if err := fl.Parse(args); err != nil {
		return o, err
	}
	if o.files = fl.Args(); len(o.files) == 0 {
		return o, errors.New("no file of bugs is named")
	}
	return o, nil
}

// seeded is the program, run in dir, the root of the module. It returns the exit status.
func seeded(ctx context.Context, dir string, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	found := true
	if err == nil {
		found, err = do(ctx, dir, o, stdout)
	}
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "seeded: %v\n", err)
		return 2
	case !found:
		return 1
	}
	return 0
}

// do hunts the bugs selected by o, two at a time, and reports whether all were found.
func do(ctx context.Context, dir string, o options, stdout io.Writer) (bool, error) {
	root, err := filepath.Abs(dir) // as overlays need it
	if err != nil {
		return false, err
	}
	var all []*bug
	var errs []error
	ids := map[string]bool{}
	for _, file := range o.files {
		bugs, err := readBugs(file)
		errs = append(errs, err)
		for _, b := range bugs {
			if ids[b.id] {
				errs = append(errs, fmt.Errorf("%s is there twice", b.id))
			}
			ids[b.id] = true
			_, err := b.plant(root)
			errs = append(errs, err)
		}
		all = append(all, bugs...)
	}
	if err := errors.Join(errs...); err != nil || o.check {
		return true, err
	}
	all = slices.DeleteFunc(all, func(b *bug) bool { return !o.only.MatchString(b.id) })
	if o.budget > 0 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	h := hunter{root: root, limit: o.limit}
	if h.temp, err = os.MkdirTemp("", "seeded-"); err != nil {
		return false, err
	}
	defer os.RemoveAll(h.temp)
	begun := time.Now()
	var mu sync.Mutex
	tried, found := 0, 0
	err = fan.ForEach(ctx, 2, slices.Values(all), func(ctx context.Context, b *bug) error {
		if o.budget > 0 && time.Since(begun) > o.budget {
			return nil
		}
		f, err := h.hunt(ctx, b)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		tried++
		if f.program != "" {
			found++
		}
		_, err = fmt.Fprintf(stdout, "%d of %d  %s: %s: %s\n", tried, len(all), b.id, b.what, f)
		return err
	})
	fmt.Fprintf(stdout, "\n%d of %d found; %d more are listed.\n", found, tried, len(all)-tried)
	return found == tried, err
}

func (f finding) String() string {
	if f.program == "" {
		return fmt.Sprintf("not found in %.1f s %s", f.took.Seconds(), f.why)
	}
	return fmt.Sprintf("found by %s, run %d, in %.1f s: %s (%s)", f.program, f.run, f.took.Seconds(), f.why, f.choices)
}
