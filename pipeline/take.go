package pipeline

import (
	"context"
	"fmt"
)

// Take returns a stage that sends the first n items. Then everything before it
// is cancelled, which is no error, and what is behind it comes to its end. It
// panics if n is negative.
func Take[T any](n int) Stage[T, T] {
	if n < 0 {
		panic(fmt.Sprintf("pipeline: Take: number must not be negative, got %d", n))
	}
	return Stage[T, T]{
		shape: []node{{"take", fmt.Sprint(n)}},
		build: func(s scope) (scope, func(link[T]) link[T]) {
			up := s.upstream()
			ctx, enough := context.WithCancelCause(s.ctx)
			up.ctx = ctx
			if n == 0 {
				enough(errEnough) // before anything is started
			}
			return up, func(in link[T]) link[T] {
				out := newLink[T](s.capacity)
				count := s.counters()
				s.run.spawn(func() {
					defer enough(errEnough)
					for range n {
						v, ok, err := in.recv(s.ctx)
						if err == nil && ok {
							count.in.Add(1)
							err = out.send(s.ctx, v)
						}
						if err != nil {
							s.run.interrupted()
							return
						}
						if !ok {
							break
						}
						count.out.Add(1)
					}
					out.close()
				})
				return out
			}
		},
	}
}
