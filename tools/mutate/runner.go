package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tandemgo/tandem/tools/internal/testprog"
)

// The outcomes of a mutant. A mutant that was not tried has none.
const (
	killed      = "killed"
	survived    = "survived"
	notCompiled = "not compiled"
)

// A result is the outcome of a mutant and the test that killed it.
type result struct {
	*mutant
	outcome string
	stage   stage // the stage that killed it
	by      string
}

func (v result) String() string {
	if v.outcome == killed {
		return "killed by " + v.by + " (" + v.stage.tests + ")"
	}
	return v.outcome
}

// The kinds of tests of a stage.
const (
	byTests    = "plain"
	byExplorer = "explore" // every order of goroutines
	byRace     = "race"    // the race detector
)

// A stage is one run of tests on a mutant.
type stage struct {
	tests        string
	imports, dir string // of the package with the tests
}

// A runner builds and runs the tests against mutants.
type runner struct {
	options
	temp   string // a directory
	limits map[stage]time.Duration
}

// stages returns the stages for the mutants of p.
func (r *runner) stages(p *source) []stage {
	all := slices.Clone(p.tests)
	for _, s := range p.tests {
		if r.explore {
			all = append(all, stage{byExplorer, s.imports, s.dir})
		}
	}
	for _, s := range p.tests {
		if r.race {
			all = append(all, stage{byRace, s.imports, s.dir})
		}
	}
	return all
}

// try returns the result of m. An error means that the tests could not be run at all.
func (r *runner) try(ctx context.Context, m *mutant) (result, error) {
	v := result{mutant: m, outcome: survived}
	dir, err := os.MkdirTemp(r.temp, "mutant-")
	if err != nil {
		return v, err
	}
	defer os.RemoveAll(dir)
	overlay, err := testprog.WriteOverlay(dir, map[string][]byte{filepath.Join(m.pkg.dir, m.file.name): m.source()})
	if err != nil {
		return v, err
	}
	for _, s := range r.stages(m.pkg) {
		path := filepath.Join(dir, "tests")
		err = r.program(s).Build(ctx, path, overlay)
		if testprog.Exited(err) {
			v.outcome, v.by = notCompiled, err.Error()
			break
		} else if err != nil {
			return v, err
		}
		if v.by, err = r.run(ctx, s, path, r.limits[s]); err != nil {
			return v, err
		}
		if v.by != "" {
			v.outcome, v.stage = killed, s
			break
		}
	}
	return v, ctx.Err()
}

// program returns the test program of s.
func (r *runner) program(s stage) testprog.Program {
	p := testprog.Program{Package: s.imports, Dir: s.dir, Race: s.tests == byRace}
	if s.tests == byExplorer {
		p.Tags = "points"
	}
	return p
}

// measure runs the tests of s without a fault. Their time limit is ten times as long, plus
// some seconds, but at most timeout.
func (r *runner) measure(ctx context.Context, s stage) error {
	dir, err := os.MkdirTemp(r.temp, "base-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tests")
	if err := r.program(s).Build(ctx, path, ""); err != nil {
		return err
	}
	begun := time.Now()
	by, err := r.run(ctx, s, path, r.timeout)
	if err == nil && by != "" {
		err = fmt.Errorf("%s (%s): the tests fail without a mutant: %s", s.imports, s.tests, by)
	}
	r.limits[s] = min(r.timeout, 5*time.Second+10*time.Since(begun))
	return err
}

// run runs a test program and returns the reason of its failure, or "" if it passed.
func (r *runner) run(ctx context.Context, s stage, path string, limit time.Duration) (by string, err error) {
	args := []string{"-test.failfast"}
	if s.tests == byExplorer { // with -short it would try only a tenth of the orders
		args = append(args, "-test.run=Explore")
	} else if r.short {
		args = append(args, "-test.short")
	}
	o, err := r.program(s).Run(ctx, path, limit, nil, args...)
	switch {
	case err != nil || !o.Failed:
		return "", err
	case o.Killed != "":
		return o.Killed, nil
	}
	return cause(o.Output), nil
}

// cause returns the failure named in the output of a failed test program.
func cause(out string) string {
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "panic: test timed out"):
			return "a hang"
		case strings.HasPrefix(line, "WARNING: DATA RACE"):
			return "a data race"
		case strings.HasPrefix(line, "--- FAIL: "):
			return strings.Fields(line)[2]
		case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
			return line
		}
	}
	return "a failure"
}
