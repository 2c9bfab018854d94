package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
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
	all := []stage{{byTests, p.imports, p.dir}}
	if r.users {
		all = append(all, p.users...)
	}
	if r.explore {
		for _, s := range all { // what the users explore, too
			all = append(all, stage{byExplorer, s.imports, s.dir})
		}
	}
	if r.race {
		all = append(all, stage{byRace, p.imports, p.dir})
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
	overlay, err := writeOverlay(dir, m)
	if err != nil {
		return v, err
	}
	for _, s := range r.stages(m.pkg) {
		limit, err := r.limit(ctx, s)
		if err != nil {
			return v, err
		}
		program, err := r.build(ctx, s, dir, overlay)
		if exited(err) {
			v.outcome, v.by = notCompiled, err.Error()
			break
		} else if err != nil {
			return v, err
		}
		if v.by, err = r.run(ctx, s, program, limit); err != nil {
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

// writeOverlay writes the mutated file, and what makes the go command take it for
// the one it is made of.
func writeOverlay(dir string, m *mutant) (string, error) {
	mutated := filepath.Join(dir, m.file.name)
	if err := os.WriteFile(mutated, m.source(), 0o666); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{
		"Replace": map[string]string{filepath.Join(m.pkg.dir, m.file.name): mutated},
	})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o666)
}

// build makes the test program of s.
func (r *runner) build(ctx context.Context, s stage, dir, overlay string) (string, error) {
	program := filepath.Join(dir, "tests")
	args := []string{"test", "-c", "-o", program, "-vet=off", "-ldflags=-s -w", "-tags", s.tags(r.tags)}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if s.tests == byRace {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, s.imports)...)
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c %s: %w\n%s", s.imports, err, bytes.TrimSpace(out))
	}
	return program, nil
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
	program, err := r.build(ctx, s, dir, "")
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	by, err := r.run(ctx, s, program, r.timeout)
	if err == nil && by != "" {
		err = fmt.Errorf("%s: the tests fail without a mutant: %s", s, by)
	}
	return time.Since(begun), err
}

// run runs a test program and returns why it failed, "" if it did not.
func (r *runner) run(ctx context.Context, s stage, program string, limit time.Duration) (by string, err error) {
	args := []string{"-test.failfast", "-test.count=1", "-test.timeout=" + limit.String()}
	if r.short && s.tests != byExplorer { // it would try a tenth of the orders
		args = append(args, "-test.short")
	}
	if tests := s.only(r.tests); tests != "" {
		args = append(args, "-test.run="+tests)
	}
	kill, cancel := context.WithTimeout(ctx, limit+5*time.Second) // if it cannot even time out
	defer cancel()
	cmd := exec.CommandContext(kill, program, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = s.dir, &out, &out, time.Second
	if err := cmd.Start(); err != nil {
		return "", err
	}
	guarded := guard(cmd)
	err = cmd.Wait()
	why := guarded()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case why != "":
		return why, nil
	case kill.Err() != nil:
		return "a hang", nil
	case err == nil:
		return "", nil
	case exited(err):
		return cause(out.String()), nil
	}
	return "", err
}

// exited reports whether a command ended by itself and failed, and not by a signal
// that somebody has sent to all of us.
func exited(err error) bool {
	failed, ok := errors.AsType[*exec.ExitError](err)
	return ok && failed.Exited()
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
