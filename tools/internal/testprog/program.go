// Package testprog builds the test programs of packages with some files replaced, and
// runs them within limits of time and memory.
package testprog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// A Program is the test program of a package.
type Program struct {
	Package string // its import path
	Dir     string // the folder of its files and of the run
	Race    bool
	Tags    string
}

// Build compiles p to the file at path, with an overlay if overlay is not "". An error
// for which Exited is true means that p does not compile.
func (p Program) Build(ctx context.Context, path, overlay string) error {
	args := []string{"test", "-c", "-o", path, "-vet=off", "-ldflags=-s -w", "-tags", p.Tags}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if p.Race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, p.Package)...)
	cmd.Dir = p.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go test -c %s: %w\n%s", p.Package, err, bytes.TrimSpace(out))
	}
	return nil
}

// An Outcome is the result of a run of a test program.
type Outcome struct {
	Output string
	Failed bool   // in any way
	Killed string // the reason if it was killed: too much memory, or no end; otherwise ""

	Processor time.Duration // processor time used
}

// Run runs the program at path with the given arguments and additional environment
// variables. The program's own time limit is limit.
func (p Program) Run(ctx context.Context, path string, limit time.Duration, env []string, args ...string) (o Outcome, err error) {
	const grace = 5 * time.Second
	kill, cancel := context.WithTimeout(ctx, limit+grace)
	defer cancel()
	cmd := exec.CommandContext(kill, path, append([]string{"-test.count=1", "-test.timeout=" + limit.String()}, args...)...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = p.Dir, &out, &out, time.Second
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return o, err
	}
	guarded := guard(cmd)
	err = cmd.Wait()
	o = Outcome{Output: out.String(), Failed: err != nil, Killed: guarded()}
	o.Processor = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	switch {
	case ctx.Err() != nil:
		return o, ctx.Err()
	case o.Killed != "":
	case kill.Err() != nil: // it has not ended by its own time limit
		o.Killed = "a hang"
	case err != nil && !Exited(err):
		return o, err
	}
	return o, nil
}

// Exited reports whether a command ended by itself with a failure, as opposed to a
// signal that may have been sent to all our processes.
func Exited(err error) bool {
	failed, ok := errors.AsType[*exec.ExitError](err)
	return ok && failed.Exited()
}
