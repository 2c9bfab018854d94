package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandemgo/tandem/tools/internal/testprog"
)

// How a mutant ended. An untried one has none.
const (
	killed      = "killed"
	survived    = "survived"
	notCompiled = "not compiled"
)

// A verdict says what became of a mutant, and what killed it.
type verdict struct {
	*mutant
	outcome string
	stage   stage // in which it was killed
	by      string
	took    time.Duration
}

// A runner builds and runs the tests against mutants.
type runner struct {
	temp    string        // a directory
	timeout time.Duration // of one run, at most
	short   bool
	users   bool // packages that import the mutated one test it, too
	explore bool // whoever survives is tested in every order
	race    bool // whoever survives is tested with the race detector
	tags    string
	tests   string // that are run, all if ""

	mu    sync.Mutex
	bases map[stage]func() (time.Duration, error)
}

// stages returns what the mutants of p go through.
func (r *runner) stages(p *source) []stage {
	all := slices.Clone(p.tests)
	if r.users && p.tests[0].tests == byTests {
		all = append(all, p.users...)
	}
	if r.explore {
		for _, s := range all { // what the users explore, too
			all = append(all, stage{byExplorer, s.imports, s.dir})
		}
	}
	if r.race {
		for _, s := range p.tests {
			all = append(all, stage{byRace, s.imports, s.dir})
		}
	}
	return all
}

// try finds out what becomes of m. An error means that the tests could not be
// run at all.
func (r *runner) try(ctx context.Context, m *mutant) (verdict, error) {
	v := verdict{mutant: m, outcome: survived}
	begun := time.Now()
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
		limit, err := r.limit(ctx, s)
		if err != nil {
			return v, err
		}
		path := filepath.Join(dir, "tests")
		err = r.program(s).Build(ctx, path, overlay)
		if testprog.Exited(err) {
			v.outcome, v.by = notCompiled, err.Error()
			break
		} else if err != nil {
			return v, err
		}
		if v.by, err = r.run(ctx, s, path, limit); err != nil {
			return v, err
		}
		if v.by != "" {
			v.outcome, v.stage = killed, s
			break
		}
	}
	v.took = time.Since(begun)
	return v, ctx.Err()
}

// program returns the program whose tests are those of s.
func (r *runner) program(s stage) testprog.Program {
	return testprog.Program{Package: s.imports, Dir: s.dir, Race: s.tests == byRace, Tags: s.tags(r.tags)}
}

// limit returns how long the tests of s may take: ten times what they take
// without a fault, and some seconds, but not more than timeout.
func (r *runner) limit(ctx context.Context, s stage) (time.Duration, error) {
	r.mu.Lock()
	base := r.bases[s]
	if base == nil {
		base = sync.OnceValues(func() (time.Duration, error) { return r.base(ctx, s) })
		r.bases[s] = base
	}
	r.mu.Unlock()
	took, err := base()
	return min(r.timeout, 5*time.Second+10*took), err
}

// base runs the tests of s without a fault.
func (r *runner) base(ctx context.Context, s stage) (time.Duration, error) {
	dir, err := os.MkdirTemp(r.temp, "base-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tests")
	if err := r.program(s).Build(ctx, path, ""); err != nil {
		return 0, err
	}
	begun := time.Now()
	by, err := r.run(ctx, s, path, r.timeout)
	if err == nil && by != "" {
		err = fmt.Errorf("%s: the tests fail without a mutant: %s", s, by)
	}
	return time.Since(begun), err
}

// run runs a test program and returns why it failed, "" if it did not.
func (r *runner) run(ctx context.Context, s stage, path string, limit time.Duration) (by string, err error) {
	args := []string{"-test.failfast"}
	if r.short && s.tests != byExplorer { // it would try a tenth of the orders
		args = append(args, "-test.short")
	}
	if tests := s.only(r.tests); tests != "" {
		args = append(args, "-test.run="+tests)
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

// cause returns what the output of a failed test program blames.
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
