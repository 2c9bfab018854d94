package results

import (
	"slices"
	"strings"

	"github.com/tandemgo/tandem/benchmarks/internal/stats"
)

// floors are peers that do less than the work, to show what the rest of it costs:
// a plain loop does nothing side by side, a look at the clock limits nothing. They
// are in the tables, and nobody loses to them.
var floors = []string{"clock", "loop"}

// A Lib is what one library has shown in one Case.
type Lib struct {
	Name    string                  // lib= in names of benchmarks
	Module  string                  // its path; empty for code written by hand, and for ours
	Metrics []string                // in the order in which they came
	Figures map[string]stats.Series // by metric
}

// Ours reports whether it is Tandem, in one way of use or another.
func (l *Lib) Ours() bool { return l.Name == Ours || strings.HasPrefix(l.Name, Ours+"-") }

// Floor reports whether it does less than the work, and is no rival.
func (l *Lib) Floor() bool { return slices.Contains(floors, l.Name) }

// Library reports whether it is somebody else's library, which code written by
// hand is not.
func (l *Lib) Library() bool { return l.Module != "" && !l.Ours() }

// Summary returns the Summary of a figure. It may be called on nil.
func (l *Lib) Summary(metric string) stats.Summary {
	if l == nil {
		return stats.Summarize(nil)
	}
	return l.Figures[metric].Summary()
}

// Median returns the median of a figure, NaN if it has none.
func (l *Lib) Median(metric string) float64 { return l.Summary(metric).Median }

// add notes a figure of a round.
func (l *Lib) add(metric string, round int, v float64) {
	if l.Figures[metric] == nil {
		l.Figures[metric] = stats.Series{}
		l.Metrics = append(l.Metrics, metric)
	}
	l.Figures[metric][round] = v
}
