// Package testprog builds the test programs of packages, with some of their files
// replaced by others, and runs them within limits of time and memory.
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
	Dir     string // where its files are; the program runs there
	Race    bool
	Tags    string
}

// Build compiles p to the file at path, with an overlay if that is not "". An
// error for which Exited is true means that it does not compile.
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

// An Outcome is how a test program ended.
type Outcome struct {
	Output string
	Failed bool   // in any way
	Killed string // why it had to be: it held too much memory, or did not end; or ""

	Processor time.Duration // how long it had a processor, whatever else went on
}

// Run runs the program that was built to path, with more variables in its
// environment and with the given arguments. It is to end by itself within limit.
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
	case kill.Err() != nil: // it could not even time out
		o.Killed = "a hang"
	case err != nil && !Exited(err):
		return o, err
	}
	return o, nil
}

// Exited reports whether a command ended by itself and failed, and not by a signal
// that somebody has sent to all of us.
func Exited(err error) bool {
	failed, ok := errors.AsType[*exec.ExitError](err)
	return ok && failed.Exited()
}
