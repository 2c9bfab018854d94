package work

import (
	"context"
	"iter"
)

// Workers is the number of workers in benchmarks that do not set another.
const Workers = 8

// PlusOne is the cheapest Step.
func PlusOne(_ context.Context, v int) (int, error) { return v + 1, nil }

// PlusOneAfter is PlusOne after some rounds of Spin.
func PlusOneAfter(rounds int) Step {
	return func(_ context.Context, v int) (int, error) {
		if Spin(v, rounds) {
			v++
		}
		return v, nil
	}
}

// Steps applies all the steps, for libraries without stages.
func Steps(ctx context.Context, v int, steps []Step) (int, error) {
	for _, step := range steps {
		var err error
		if v, err = step(ctx, v); err != nil {
			return 0, err
		}
	}
	return v, nil
}

// Count yields 0 to n-1.
func Count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}
