package bars

import (
	"slices"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// Rivals are the libraries the fastest of which a bar is about.
type Rivals struct {
	Are   string   // in words
	Names []string // empty for all that are somebody else's library
}

var libraries = Rivals{Are: "the fastest library"}

func named(names ...string) Rivals { return Rivals{Are: names[0], Names: names} }

func (r Rivals) fastest(c *results.Case) *results.Lib {
	return c.Fastest(func(l *results.Lib) bool {
		if len(r.Names) == 0 {
			return l.Library()
		}
		return slices.Contains(r.Names, l.Name)
	})
}
