package rounds

import (
	"context"
	"io"

	"github.com/tandemgo/tandem/benchmarks/internal/scaling"
)

// Sweeps says how often the benchmarks are to run that sweep the number of items
// and of processors.
type Sweeps struct {
	Binary string
	Times  int
}

// Run runs them, as Plan.Run does. Each does all of its work once.
func (s Sweeps) Run(ctx context.Context, raw io.Writer, watch Watcher) error {
	for n := range s.Times {
		args := []string{"-test.bench", scaling.Bench, "-test.benchtime", "1x", "-test.cpu", scaling.CPUs}
		if err := runRound(ctx, s.Binary, n, args, raw, watch); err != nil {
			return err
		}
	}
	return nil
}
