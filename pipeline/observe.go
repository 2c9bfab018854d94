package pipeline

import (
	"context"

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
	watched.connect = func(sc scope, out *hop[Out]) (context.Context, *hop[In]) {
		sc.rec, sc.index = o.join(sc.run), 0
		return s.connect(sc, out)
	}
	return watched
}
