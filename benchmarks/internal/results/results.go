// Package results holds what the benchmarks of all rounds have reported, and
// reads it from raw output in Go's benchmark format.
package results

import (
	"slices"

	"github.com/tandemgo/tandem/benchmarks/internal/machine"
)

// ParksRound is the round that only counts parks. It runs each benchmark once and
// under a trace, so its other figures mean nothing.
const ParksRound = 0

// Results has the figures of all rounds.
type Results struct {
	Facts machine.Facts
	Works []*Work // in the order in which they ran
}

// Work returns the work of that name, or nil.
func (r *Results) Work(name string) *Work {
	if i := slices.IndexFunc(r.Works, func(w *Work) bool { return w.Name == name }); i >= 0 {
		return r.Works[i]
	}
	return nil
}

// Rounds returns how many rounds there are besides ParksRound.
func (r *Results) Rounds() int {
	rounds := map[int]bool{}
	for _, w := range r.Works {
		for _, c := range w.Cases {
			for _, l := range c.Libs {
				for _, series := range l.Figures {
					for round := range series {
						rounds[round] = true
					}
				}
			}
		}
	}
	delete(rounds, ParksRound)
	return len(rounds)
}
