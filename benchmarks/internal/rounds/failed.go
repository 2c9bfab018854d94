package rounds

import (
	"fmt"
	"strings"
)

// A FailedError says that a benchmark did not do its work.
type FailedError struct {
	Round  int
	Output string
	Err    error
}

// Error returns the output too, without the figures of the benchmarks that are
// well.
func (e *FailedError) Error() string {
	var kept []string
	for line := range strings.Lines(e.Output) {
		if !strings.HasPrefix(line, "Benchmark") || strings.Contains(line, "--- FAIL") {
			kept = append(kept, line)
		}
	}
	return fmt.Sprintf("round %d: a benchmark failed: %v\n%s", e.Round, e.Err, strings.Join(kept, ""))
}

func (e *FailedError) Unwrap() error { return e.Err }
