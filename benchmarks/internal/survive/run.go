package survive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/tandemgo/tandem/fan"
)

// timeLimit is the time limit of the process of a trial. It is far above the second of
// the longest trial: the bubble or watchLocks detects waits that never end.
const timeLimit = 2 * time.Minute

// Run tries all scenarios, atOnce at a time and each in its own process, started from
// the running program, which must call Child first. The results have the order of the
// scenarios. The error is about a trial that could not be made.
func Run(ctx context.Context, scenarios []Scenario, atOnce int) ([]Result, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(scenarios))
	err = fan.ForEach(ctx, atOnce, numbers(len(scenarios)), func(ctx context.Context, i int) (err error) {
		results[i], err = inProcess(ctx, self, scenarios[i])
		return err
	})
	return results, err
}

func inProcess(ctx context.Context, self string, s Scenario) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
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
