package pool

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
)

// WithKey makes tasks of one key run one after another, in the order in which
// they were accepted; tasks of other keys go on meanwhile. The key of a task is
// what key returns for it when the task is submitted, on the goroutine that
// submits; a panic of key is one of that call. Memory is held for the keys of
// unfinished tasks only.
//
// A task that waits inside for another one of its own key runs it in place, in
// the middle of itself: it would wait for ever otherwise. It must not wait for
// one of its key by way of a task of another.
//
// The functions given to New and WithKey must agree on the type of tasks: New
// panics otherwise. WithKey panics if key is nil. Without WithKey keys cost
// nothing; with it, and with WithPriority, workers take tasks one at a time.
func WithKey[T any, K comparable](key func(task T) K) Option {
	misuse.Nil(key == nil, "pool: WithKey: function")
	return func(o *options) { o.key = keySource[T](keyFunc[T, K](key)) }
}

// WithPriority makes tasks of higher priority run before those of lower; 0 is
// the middle. The priority of a task is what priority returns for it when it is
// submitted, on the goroutine that submits. So that nothing starves, a step of
// priority is worth no more than a wait of ageing: a task goes before those of
// the next higher priority that are accepted later than that. With the same
// priority, and within a key, tasks keep the order in which they were accepted.
//
// The functions given to New and WithPriority must agree on the type of tasks:
// New panics otherwise. WithPriority panics if ageing is not positive or if
// priority is nil. Without WithPriority priorities cost nothing.
func WithPriority[T any](ageing time.Duration, priority func(task T) int) Option {
	misuse.NotPositive(ageing, "pool: WithPriority: ageing")
	misuse.Nil(priority == nil, "pool: WithPriority: function")
	return func(o *options) { o.priority, o.ageing = priorityFunc[T](priority), ageing }
}

// Options have no type parameters, so these carry theirs inside until New, which
// knows the type of tasks, takes them out again with typed.
type (
	keySource[T any]             interface{ table() keyTable[T] }
	keyFunc[T any, K comparable] func(T) K
	priorityFunc[T any]          func(T) int
)

// typed returns what an option carries for tasks of type T, the zero value if it
// was not given.
func typed[V, T any](carried any, call, option string) (v V) {
	if carried == nil {
		return v
	}
	v, ok := carried.(V)
	if !ok {
		panic(fmt.Sprintf("pool: %s: %s must be for the pool's tasks of type %v, got %v",
			call, option, reflect.TypeFor[T](), reflect.TypeOf(carried).In(0)))
	}
	return v
}

// A keyTable finds the keys of tasks, and knows them for as long as a task has
// them.
type keyTable[T any] interface {
	of(task T) *key
	forget(*key)
}

// A key stands for all equal keys of unfinished tasks.
type key struct {
	tasks  int // that have it
	remove func()
}

func (fn keyFunc[T, K]) table() keyTable[T] {
	return &keys[T, K]{fn: fn, known: make(map[K]*key)}
}

type keys[T any, K comparable] struct {
	fn func(T) K

	mu    sync.Mutex
	known map[K]*key
}

func (ks *keys[T, K]) of(task T) *key {
	v := ks.fn(task)
	ks.mu.Lock()
	defer ks.mu.Unlock() // K can be an interface with a value that cannot be compared
	k := ks.known[v]
	if k == nil {
		k = &key{remove: func() { delete(ks.known, v) }}
		ks.known[v] = k
	}
	k.tasks++
	return k
}

func (ks *keys[T, K]) forget(k *key) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if k.tasks--; k.tasks == 0 {
		k.remove()
	}
}
