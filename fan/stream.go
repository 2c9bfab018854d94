package fan

import (
	"context"
	"time"

	"github.com/tandemgo/tandem/internal/keyed"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
)

// A stream carries items from a source through up to n workers to a consumer: the
// goroutine that walks a Seq or ByKey. A ForEach has no consumer.
//
// An item waits in ready until a worker is free, or, if the stream is keyed, behind the
// items with its key. Its result waits in results: an item of an ordered stream is put
// there when it comes from the source, and other items when they are done. The source
// waits while window items are between it and the consumer. mu guards all of this.
//
// A goroutine parks on a channel of its own and on the context of the functions. One
// worker at a time is on its way out of a park, and wakes the next one if there are more
// items: a source of cheap items would otherwise wake a worker for each item.
type stream[K comparable, In, Out any] struct {
	caller  context.Context
	ctx     context.Context // of the functions
	cancel  context.CancelCauseFunc
	fn      func(context.Context, In) (Out, error)
	n       int
	group   *group
	ordered bool
	keyed   bool
	consume bool // there is a consumer

	mu      sched.Mutex
	keys    keyed.Order[K, *item[K, In, Out]]
	ready   queue[*item[K, In, Out]]
	results queue[*item[K, In, Out]]
	free    []*item[K, In, Out] // to be used again
	window  int
	inside  int   // items between the source and the consumer
	count   int   // items that have come from the source
	begun   int   // items that a worker has taken
	ended   bool  // the source has no more items
	last    error // why, if it failed
	err     error // the first error, if there is no consumer

	idle    []chan struct{} // parked workers
	waking  bool            // a worker was woken or started, and has not come yet
	workers int             // those that were started
	room    chan struct{}   // the source parks here
	full    bool            // the source is parked
	done    chan struct{}   // the consumer parks here
	waits   bool            // the consumer is parked
}

// An item is on its way through a stream.
type item[K comparable, In, Out any] struct {
	entry keyed.Entry[K, *item[K, In, Out]]
	index int
	in    In
	out   Out
	err   error
	done  bool
}

const (
	ahead     = 16                   // items that may wait for a worker, beside 2n others
	mostAhead = 1024                 // the same, while items are quick
	quick     = 2 * time.Microsecond // what a quick item takes
)

func newStream[K comparable, In, Out any](ctx context.Context, n int, fn func(context.Context, In) (Out, error)) *stream[K, In, Out] {
	s := &stream[K, In, Out]{
		caller: ctx, fn: fn, n: n, group: newGroup(), window: 2*min(n, 1<<30) + ahead,
		room: make(chan struct{}, 1), done: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	return s
}

// push adds an item. It returns false if no function may be called any more.
func (s *stream[K, In, Out]) push(v In, key K) bool {
	var parked time.Duration
	for ended(s.caller, s.ctx) == nil {
		if s.tryPush(v, key, parked) {
			return true
		}
		began := now()
		sched.ParkCtx(s.ctx, s.room)
		parked = now() - began
	}
	return false
}

// tryPush adds an item if there is room, after the source has been parked until a quarter
// of the window was free, or not at all. The window doubles if that took no longer than
// that many quick items take; under a clock that stands still it does not.
func (s *stream[K, In, Out]) tryPush(v In, key K, parked time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock() // also if a key cannot be compared
	if s.full || s.inside >= s.window || s.err != nil {
		s.full = true
		return false
	}
	if s.window < mostAhead && 0 < parked && parked < time.Duration(s.window/4)*quick {
		s.window *= 2
	}
	var it *item[K, In, Out]
	if last := len(s.free) - 1; last >= 0 {
		it, s.free = s.free[last], s.free[:last]
	} else {
		it = new(item[K, In, Out])
	}
	it.index, it.in, it.entry.Value = s.count, v, it
	begins := !s.keyed || s.keys.Enter(key, &it.entry)
	s.count++
	s.inside++
	if s.ordered {
		s.results.push(it)
	}
	if begins {
		s.ready.push(it)
		s.wakeWorker()
	}
	return true
}

// wakeWorker wakes or starts a worker if there is an item for it. mu is held, as in left,
// complete and recycle.
func (s *stream[K, In, Out]) wakeWorker() {
	switch last := len(s.idle) - 1; {
	case s.waking || s.ready.n == 0:
	case last >= 0:
		s.waking = true
		sched.Signal(s.idle[last])
		s.idle = s.idle[:last]
	case s.workers < s.n:
		s.waking = true
		s.workers++
		s.group.n.Add(1)
		w := &streamWorker[K, In, Out]{stream: s, signal: make(chan struct{}, 1)}
		outcome.Spawn(w.loop, s.group.done)
	}
}

// left notes that items have left the window.
func (s *stream[K, In, Out]) left(items int) {
	s.inside -= items
	if s.full && s.inside <= s.window-s.window/4 {
		s.full = false
		sched.Signal(s.room)
	}
}

// complete passes on an item that is done.
func (s *stream[K, In, Out]) complete(it *item[K, In, Out]) {
	if s.keyed {
		if next := s.keys.Leave(&it.entry); next != nil {
			s.ready.push(next.Value)
		}
	}
	if !s.consume {
		s.recycle(it)
		s.left(1)
		return
	}
	if it.done = true; !s.ordered {
		s.results.push(it)
	}
	if s.waits && s.results.front().done {
		s.waits = false
		sched.Signal(s.done)
	}
}

// recycle keeps an item to be used again.
func (s *stream[K, In, Out]) recycle(it *item[K, In, Out]) {
	*it = item[K, In, Out]{}
	s.free = append(s.free, it)
}

// A streamWorker is one of the goroutines that call the function.
type streamWorker[K comparable, In, Out any] struct {
	*stream[K, In, Out]
	item   *item[K, In, Out] // in work
	signal chan struct{}
}

func (w *streamWorker[K, In, Out]) loop() {
	l, exited := inherit(w.caller), func() { w.item.err = ErrGoexit }
	for w.next() {
		l.set()
		w.item.out, w.item.err = outcome.Call(w.ctx, w.fn, w.item.in, exited)
	}
}

// next completes the item in work and waits for the next one. It returns false if there
// are no more, or no function may be called any more.
func (w *streamWorker[K, In, Out]) next() bool {
	if it := w.item; it != nil && it.err != nil && !w.consume {
		w.fail(it.index, it.err)
	}
	for {
		more := w.tryNext()
		switch over := ended(w.caller, w.ctx) != nil; {
		case over && w.item != nil:
			w.mu.Lock()
			w.begun--
			w.mu.Unlock()
			return false
		case over || !more:
			return false
		case w.item != nil:
			return true
		}
		sched.ParkCtx(w.ctx, w.signal)
	}
}

// tryNext completes the item in work and takes the next one, if there is one. It returns
// false if there will be none: an item behind another of its key goes to the worker of
// that one.
func (w *streamWorker[K, In, Out]) tryNext() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if it := w.item; it != nil {
		w.item = nil
		w.complete(it)
	} else {
		w.waking = false
	}
	switch {
	case w.err != nil || w.ended && w.ready.n == 0:
		return false
	case w.ready.n > 0:
		w.item = w.ready.pop()
		w.begun++
		w.wakeWorker()
	default:
		w.idle = append(w.idle, w.signal)
	}
	return true
}

// fail ends the stream with the error of an item, if that is the first error.
func (s *stream[K, In, Out]) fail(index int, err error) {
	err = taskError(s.caller, index, err)
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = err
	}
	s.mu.Unlock()
	if first {
		sched.Cancel(func() { s.cancel(err) })
	}
}

// end notes that the source has no more items.
func (s *stream[K, In, Out]) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.last = true, err
	for _, signal := range s.idle {
		sched.Signal(signal)
	}
	s.idle = nil
	sched.Signal(s.done)
}

// join waits for all goroutines and ends the context of the functions: with cause before
// that, unless cause is nil.
func (s *stream[K, In, Out]) join(cause error) {
	if cause != nil {
		sched.Cancel(func() { s.cancel(cause) })
	}
	s.group.wait()
	sched.Cancel(func() { s.cancel(errDone) })
}

// because returns the error of a stream that ends because of cause, before its source has
// ended and all items have begun, or after that.
func (s *stream[K, In, Out]) because(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended || s.last != nil || s.begun < s.count {
		return &unfinished{err: cause}
	}
	return cause
}
