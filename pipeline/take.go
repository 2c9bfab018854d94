package pipeline

import (
	"fmt"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Take returns a stage that sends the first n items. Then it cancels everything in front
// of it, which is no error, and the stages behind it come to their end. Take panics if n
// is negative.
func Take[T any](n int, opts ...Option) Stage[T, T] {
	misuse.Negative(n, "pipeline: Take: number")
	s := inlined(shapeOf(named("Take", "take", fmt.Sprint(n), opts)), func(s scope, out sink[T]) (*lifetime, sink[T]) {
		sends(s, out)
		t := &taking[T]{between: between[T]{out}, left: n, life: s.run.within(s.life)}
		s.meter().begun = func() uint64 { return uint64(n - t.left) }
		if n == 0 { // before anything is started, so that nothing upstream is
			t.life.end(errEnough)
			out.end()
		}
		return t.life, t
	})
	s.before, s.after = true, true
	return s
}

// A taking is a Take in one run.
type taking[T any] struct {
	between[T]
	left int       // 0: it has enough, and has ended the sinks behind it
	life *lifetime // of the stages upstream
}

func (t *taking[T]) send(v T) error {
	if t.left == 0 { // a stage that is fused in front has more to send all the same
		return errEnough
	}
	if t.left--; t.left > 0 {
		return t.out.send(v)
	}
	t.life.end(errEnough)
	defer t.out.end()                             // also if a stage that is fused behind calls Goexit
	if err := sendGuarded(t.out, v); err != nil { // its handlers come before the end
		return err
	}
	return errEnough
}

func (t *taking[T]) end() {
	if t.left > 0 {
		t.life.end(errEnough)
		t.out.end()
	}
}
