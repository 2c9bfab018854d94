package pipeline

import (
	"context"
	"fmt"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/point"
)

// Take returns a stage that sends the first n items. Then it cancels everything in front
// of it, which is no error, and the stages behind it come to their end. Take panics if n
// is negative.
func Take[T any](n int, opts ...Option) Stage[T, T] {
	misuse.Negative(n, "pipeline: Take: number")
	s := inlined(shapeOf(named("Take", "take", fmt.Sprint(n), opts)), func(s scope, out outlet[T]) (context.Context, outlet[T]) {
		sends(s, out)
		t := &taking[T]{left: n, out: out}
		s.begins(func() uint64 { return uint64(n - t.left) })
		var ctx context.Context
		ctx, t.enough = s.run.within(s.ctx)
		if n == 0 { // before anything is started, so that nothing upstream is
			t.enough()
			s.run.begun = append(s.run.begun, out.end)
		}
		return ctx, t
	})
	s.before, s.after = true, true
	return s
}

// A taking is a Take in one run.
type taking[T any] struct {
	left   int    // 0: it has enough, and has said so downstream
	enough func() // ends what is upstream
	out    outlet[T]
}

func (t *taking[T]) send(v T) error {
	if t.left == 0 { // a stage that is fused in front has more to send all the same
		return errEnough
	}
	if t.left--; t.left > 0 {
		return t.out.send(v)
	}
	t.enough()
	point.At("pipeline: take has enough")
	defer t.out.end() // also if a stage that is fused behind calls Goexit
	if err := t.out.send(v); err != nil {
		return err
	}
	return errEnough
}

func (t *taking[T]) end() {
	if t.left > 0 {
		t.enough()
		t.out.end()
	}
}
