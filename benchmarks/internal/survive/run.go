package survive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Patience is how long the process of a trial may take. None has needed it so far:
// who waits for what never comes is found by the bubble, or by the look at locks.
// The work of the longest trial is a second.
const Patience = 2 * time.Minute

// Run tries all scenarios, so many at a time, each in a process of its own: of
// the program that runs, which must call Child first. The order stays. The error
// is about a trial that could not be made.
func Run(ctx context.Context, scenarios []Scenario, atOnce int) ([]Result, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	results, errs := make([]Result, len(scenarios)), make([]error, len(scenarios))
	next := make(chan int)
	var wg sync.WaitGroup
	for range atOnce {
		wg.Go(func() {
			for i := range next {
				results[i], errs[i] = inProcess(ctx, self, scenarios[i])
			}
		})
	}
	for i := range scenarios {
		next <- i // soon after the end of ctx, too, since it kills the processes
	}
	close(next)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return results, errors.Join(errs...)
}

func inProcess(ctx context.Context, self string, s Scenario) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), env+"="+s.Name())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	seen, detail := classify(out.String(), err, errors.Is(ctx.Err(), context.DeadlineExceeded))
	if seen == "" {
		return Result{}, fmt.Errorf("%s: %s", s.Name(), detail)
	}
	r := Result{Scenario: s, Outcome: seen, Seen: seen, Detail: detail}
	if seen != Survives && s.Contract != "" {
		r.Outcome = ByContract
	}
	return r, nil
}
