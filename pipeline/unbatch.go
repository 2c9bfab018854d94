package pipeline

import "context"

// Unbatch returns a stage that sends the elements of each slice.
func Unbatch[T any](opts ...Option) Stage[[]T, T] {
	s := inlined(shapeOf(named("Unbatch", "unbatch", "", opts)), func(s scope, out outlet[T]) (context.Context, outlet[[]T]) {
		sends(s, out)
		u := &unbatching[T]{out: out, meter: s.meter()}
		s.begins(func() uint64 { return u.begun })
		return s.ctx, u
	})
	s.after = true
	return s
}

type unbatching[T any] struct {
	out   outlet[T]
	begun uint64
	meter *meter
}

func (u *unbatching[T]) send(vs []T) error {
	u.begun++
	for i, v := range vs {
		if err := u.out.send(v); err != nil {
			if i < len(vs)-1 {
				u.meter.discard()
			}
			return err
		}
	}
	return nil
}

func (u *unbatching[T]) end() { u.out.end() }
