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

// A finding is the way in which a bug was found, if it was.
type finding struct {
	*bug
	program string        // "" if it was not found
	run     int           // of that program; 0 if the program crashed in an unknown run
	choices string        // that lead to it
	why     string        // the message of the program
	took    time.Duration // processor time
}

// A hunter runs the explorer on bugs.
type hunter struct {
	root  string        // of the module
	temp  string        // a directory
	limit time.Duration // processor time for all programs together
}

// passes are the maximum numbers of runs of each program in each pass. So a bug that is
// easy to find is found early, by any program.
var passes = []int{100, 2_000, 20_000}

// hunt puts b into its package and runs the programs until one of them fails or the
// limit is reached. An error means that they cannot be run.
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
		o, err := p.Run(ctx, tests, slowdown*left, env, "-test.run=Explore", "-test.v", "-test.failfast")
		if err != nil {
			return f, err
		}
		f.took += o.Processor
		if o.Failed && f.took <= h.limit && f.read(o.Output) {
			break
		}
	}
	return f, ctx.Err()
}

// leaveOut removes the tests in dir that are not programs of the explorer, since their
// compilation takes most of the time. Shared code is in main_test.go.
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

// slowdown is the permitted ratio of elapsed time to processor time, since other programs
// use the machine too. It only determines when a hang is ended.
const slowdown = 4

var (
	begins = regexp.MustCompile(`(?m)^=== (?:RUN|NAME) +(\S+)$`)
	// failed is the report of a failing run; without one, the program has crashed.
	failed = regexp.MustCompile(`run (\d+) went wrong:\n(?:.*\n)*? *TANDEM_SCHEDULE=(\S+) runs it again|(?m:^)(?:panic|fatal error): .*`)
	says   = regexp.MustCompile(`(?m)^ +\w+\.go:\d+: (.*)$`)
	counts = regexp.MustCompile(`^\d+ runs, all `) // in the report of a passing program
)

// read finds in the output of a test program the program that has failed, and reports
// whether there is one. A test program that runs out of time has not failed.
func (f *finding) read(out string) bool {
	m := failed.FindStringSubmatchIndex(out)
	if m == nil || strings.HasPrefix(out[m[0]:], "panic: test timed out") {
		return false
	}
	before := out[:m[0]]
	all := begins.FindAllStringSubmatch(before, -1)
	if len(all) == 0 {
		return false
	}
	f.program, f.why = all[len(all)-1][1], strings.TrimSuffix(out[m[0]:m[1]], " [recovered, repanicked]")
	if m[2] >= 0 {
		f.run, _ = strconv.Atoi(out[m[2]:m[3]])
		f.choices, f.why = out[m[4]:m[5]], "a failure"
	}
	for _, said := range says.FindAllStringSubmatch(before, -1) {
		if !counts.MatchString(said[1]) {
			f.why = said[1]
			break
		}
	}
	return true
}
