package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tandemgo/tandem/tools/internal/testprog"
)

// A finding says how a bug was found, if it was.
type finding struct {
	*bug
	program string        // "" if nobody has found it
	run     int           // of that program; 0 if the program crashed, and no run is known
	choices string        // that lead there
	why     string        // what the program says
	took    time.Duration // of a processor
}

// A hunter lets the explorer look for bugs.
type hunter struct {
	root  string        // of the module
	temp  string        // a directory
	limit time.Duration // of a processor, for all programs together
}

// passes are how many runs each program gets, at most, before all of them get more.
// What is easy to find is found at once in this way, whichever program finds it.
var passes = []int{100, 2_000, 20_000}

// hunt puts b into its package and runs the programs until one of them finds
// something wrong or the time is up. An error means that they cannot be run.
func (h *hunter) hunt(ctx context.Context, b *bug) (f finding, err error) {
	f.bug = b
	texts, err := b.plant(h.root)
	if err != nil {
		return f, err
	}
	dir, err := os.MkdirTemp(h.temp, "bug-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	p := testprog.Program{Package: ".", Dir: filepath.Join(h.root, filepath.FromSlash(b.pkg)), Tags: "points"}
	if err := leaveOut(p.Dir, texts); err != nil {
		return f, err
	}
	overlay, err := testprog.WriteOverlay(dir, texts)
	if err != nil {
		return f, err
	}
	tests := filepath.Join(dir, "tests")
	if err := p.Build(ctx, tests, overlay); testprog.Exited(err) && ctx.Err() == nil {
		f.why = "it does not compile: " + err.Error()
		return f, nil
	} else if err != nil {
		return f, fmt.Errorf("%s: %w", b.id, err)
	}
	for _, runs := range passes {
		left := h.limit - f.took
		if left <= 0 {
			break
		}
		env := []string{"TANDEM_SCHEDULES=" + strconv.Itoa(runs), "TANDEM_SCHEDULE="}
		o, err := p.Run(ctx, tests, crowd*left, env, "-test.run=Explore", "-test.v", "-test.failfast")
		if err != nil {
			return f, err
		}
		f.took += o.Processor
		if o.Failed && f.took <= h.limit && f.read(o) {
			break
		}
	}
	return f, ctx.Err()
}

// leaveOut removes the tests in dir that are no programs of the explorer: to compile
// them takes most of the time. What they share is in main_test.go.
func leaveOut(dir string, texts map[string][]byte) error {
	tests, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return err
	}
	for _, path := range tests {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Base(path) != "main_test.go" && !bytes.HasPrefix(text, []byte("//go:build points\n")) {
			texts[path] = nil
		}
	}
	return nil
}

// crowd is how much longer than on a processor of its own a program may take,
// since others use the machine, too. It decides nothing but when a hang is ended.
const crowd = 4

var (
	begins  = regexp.MustCompile(`(?m)^=== (?:RUN|NAME) +(\S+)$`)
	stuck   = regexp.MustCompile(`(?m)run (\d+): (.*):\n +([\d.]+)$`)
	wrong   = regexp.MustCompile(`(?m)run (\d+) went wrong:$`)
	replays = regexp.MustCompile(`TANDEM_SCHEDULE=(\S+) runs it again`)
	says    = regexp.MustCompile(`(?m)^ +\w+_test\.go:\d+: (.*)$`)
	counts  = regexp.MustCompile(`^\d+ runs, all orders`)
	crashes = regexp.MustCompile(`(?m)^(?:panic|fatal error): .*$`)
)

// read takes from what a test program says which program has found something, and
// reports whether there is one. A test program that runs out of time has not.
func (f *finding) read(o testprog.Outcome) bool {
	out := o.Output
	var at int // where the end begins
	switch {
	case stuck.MatchString(out):
		m := stuck.FindStringSubmatchIndex(out)
		at = m[0]
		f.run, _ = strconv.Atoi(out[m[2]:m[3]])
		f.why, f.choices = out[m[4]:m[5]], out[m[6]:m[7]]
	case wrong.MatchString(out):
		m := wrong.FindStringSubmatchIndex(out)
		at = m[0]
		f.run, _ = strconv.Atoi(out[m[2]:m[3]])
		if c := replays.FindStringSubmatch(out[at:]); c != nil {
			f.choices = c[1]
		}
		f.why = firstComplaint(out[:at])
	case crashes.MatchString(out) && !strings.Contains(out, "panic: test timed out"):
		m := crashes.FindStringIndex(out)
		at = m[0]
		f.why = strings.TrimSuffix(out[m[0]:m[1]], " [recovered, repanicked]")
	default:
		return false
	}
	if all := begins.FindAllStringSubmatch(out[:at], -1); len(all) > 0 {
		f.program = all[len(all)-1][1]
	}
	return f.program != ""
}

// firstComplaint returns the first line that a test has written and that is not
// about a program that went well.
func firstComplaint(out string) string {
	for _, m := range says.FindAllStringSubmatch(out, -1) {
		if !counts.MatchString(m[1]) {
			return m[1]
		}
	}
	return "a failure"
}
