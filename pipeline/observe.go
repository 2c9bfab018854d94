package pipeline

import (
	"github.com/tandemgo/tandem/internal/misuse"
)

// Observe returns s with o measuring its stages in every run of it, and [Stage.Mermaid]
// drawing the figures. Stages that an inner Observe watches are
// measured there.
func (s Stage[In, Out]) Observe(o *Observer) Stage[In, Out] {
	s.require("Observe")
	misuse.Nil(o == nil, "pipeline: Observe: observer")
	o.register(s.shape)
	watched := s
	watched.shape.watch = o
	watched.inline = nil
	watched.connect = func(sc scope, out *edge[Out]) (*lifetime, *edge[In]) {
		sc.rec, sc.index = &record{meters: make([]meter, len(s.shape.nodes))}, 0
		life, in := s.connect(sc, out)
		o.begin(sc.run, sc.rec)
		return life, in
	}
	return watched
}
