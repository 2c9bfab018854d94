package pipeline

// Unbatch returns a stage that sends the elements of each slice.
func Unbatch[T any](opts ...Option) Stage[[]T, T] {
	s := inlined(shapeOf(named("Unbatch", "unbatch", "", opts)), func(s scope, out sink[T]) (*lifetime, sink[[]T]) {
		sends(s, out)
		u := &unbatching[T]{between: between[T]{out}, meter: s.meter()}
		s.meter().begun = func() uint64 { return u.begun }
		return s.life, u
	})
	s.after = true
	return s
}

type unbatching[T any] struct {
	between[T]
	begun uint64
	meter *meter
	rest  []T // of the slice in hand
}

func (u *unbatching[T]) send(vs []T) error {
	u.begun++
	u.rest = vs
	defer func() { // also while the goroutine ends by a Goexit
		if len(u.rest) > 0 {
			u.meter.discarded.Add(1)
		}
		u.rest = nil
	}()
	return u.sendRest()
}

// sendRest goes on after an element for which a stage that is fused behind has panicked, and
// while its goroutine ends by a Goexit.
func (u *unbatching[T]) sendRest() (err error) {
	returned := false
	defer func() {
		if !returned && err == nil && len(u.rest) > 0 {
			err = u.sendRest()
		}
	}()
	defer guard(u.out, &returned, &err)
	for len(u.rest) > 0 && err == nil {
		v := u.rest[0]
		u.rest = u.rest[1:]
		err = u.out.send(v)
	}
	returned = true
	return err
}
