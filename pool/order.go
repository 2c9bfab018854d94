package pool

import "time"

type intake[T, R any] interface {
	push(it item[T, R], now time.Duration)
	len() int
	drain() []item[T, R]
}

type lane[T, R any] struct{}

func (e *engine[T, R]) takeInOrderLocked(w *worker[T, R]) (n int, more bool) { return 0, false }
