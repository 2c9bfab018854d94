package pipeline

import (
	"fmt"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Buffer returns a stage that lets up to n items wait between its neighbours;
// without one it is 16, and up to 1,024 while both of them need no more than a few
// microseconds for an item. It costs no goroutine. It panics if n is negative.
func Buffer[T any](n int, opts ...Option) Stage[T, T] {
	misuse.Negative(n, "pipeline: Buffer: size")
	return Stage[T, T]{
		shape: shapeOf(named("Buffer", "buffer", fmt.Sprint(n), opts)),
		connect: func(_ scope, out *edge[T]) (*lifetime, *edge[T]) {
			// It is the capacity of the edge that the stage before sends to.
			out.buffer(n)
			return out.life, out
		},
		exact: true,
	}
}
