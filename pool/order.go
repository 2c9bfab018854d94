package pool

import (
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/taskpool"
)

// An Order says which tasks of a pool run one after another, and which go first. It is made by
// ByKey or ByPriority.
type Order[T any] struct{ of taskpool.Order[T] }

// NewOrdered is New for a pool in which keys or priorities decide when a task runs. Workers take
// tasks one at a time there. NewOrdered panics as New does, and if order is the zero value.
func NewOrdered[T, R any](workers int, order Order[T], fn Func[T, R], opts ...Option) *Pool[T, R] {
	misuse.Nil(fn == nil, "pool: NewOrdered: function")
	if order.of.Key == nil && order.of.Priority == nil {
		panic("pool: NewOrdered: order must be made by ByKey or ByPriority, got the zero value")
	}
	return newPool("NewOrdered", workers, taskpool.Config[T, R]{Fn: fn, Order: &order.of}, opts)
}

// ByKey makes tasks of one key run one after another, in the order in which they were accepted;
// tasks of other keys go on meanwhile. The key of a task is what key returns for it when the task
// is submitted, on the goroutine that submits; a panic of key is one of that call. A key that is
// not equal to itself, such as NaN, is no key. The pool remembers the keys of unfinished tasks
// only.
//
// A task that waits inside for another one of its own key runs it in place, in the middle of
// itself: it would wait for ever otherwise. It must not wait for one of its key by way of a task
// of another. ByKey panics if key is nil.
func ByKey[T any, K comparable](key func(task T) K) Order[T] {
	misuse.Nil(key == nil, "pool: ByKey: function")
	return Order[T]{taskpool.Order[T]{Key: func(task T) (any, bool) {
		k := key(task)
		return k, equal(k, k)
	}}}
}

// equal panics if a and b have a dynamic type that cannot be compared.
func equal[K comparable](a, b K) bool { return a == b }

// ByPriority makes tasks of higher priority run before those of lower; 0 is the middle. The
// priority of a task is what priority returns for it when it is submitted, on the goroutine that
// submits. So that no task starves, a step of priority is worth no more than a wait of ageing: a
// task goes before those of the next higher priority that are accepted later than that. Tasks of
// the same priority run in the order in which they were accepted. ByPriority panics if ageing is
// not positive or if priority is nil.
func ByPriority[T any](ageing time.Duration, priority func(task T) int) Order[T] {
	return Order[T]{}.with("ByPriority", ageing, priority)
}

// Priority returns an order that has the keys of o as well as priorities, see [ByPriority].
// Within a key, tasks run in the order in which they were accepted. It panics as ByPriority does.
func (o Order[T]) Priority(ageing time.Duration, priority func(task T) int) Order[T] {
	return o.with("Order.Priority", ageing, priority)
}

func (o Order[T]) with(call string, ageing time.Duration, priority func(task T) int) Order[T] {
	misuse.NotPositive(ageing, "pool: "+call+": ageing")
	misuse.Nil(priority == nil, "pool: "+call+": function")
	o.of.Priority, o.of.Ageing = priority, ageing
	return o
}
