package taskpool

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/sched"
)

// An Order decides in which order tasks run.
type Order[T any] struct {
	Key      func(T) (key any, ok bool) // nil without keys; not ok: the task has no key
	Priority func(T) int                // nil without priorities
	Ageing   time.Duration              // that a step of priority is worth
}

// An orderedQueue takes the place of the queue in a pool with keys or priorities. Engine.mu
// guards it.
//
// The tasks of one key form a lane, and a task without a key is a lane of its own. The lanes of
// which no task is running are in a heap, by their first tasks: by the time at which these were
// accepted less the worth of their priority.
type orderedQueue[T, R any] struct {
	order *Order[T]
	n     int
	ready laneHeap[T, R]
	lanes map[any]*lane[T, R]         // by key, or if there is none by the place of the task
	of    map[*Task[T, R]]*lane[T, R] // the lanes of tasks that are waited for
	most  int                         // the largest n since the queue was last empty or shrunk
}

// A place is a task in an ordered queue.
type place[T, R any] struct {
	item[T, R]
	key      any
	keyed    bool
	priority int
	seq      uint64  // in the order of acceptance
	due      float64 // what the heap goes by: when it was accepted in nanoseconds, less the worth of its priority
}

// A lane has the tasks of one key in the order of acceptance.
type lane[T, R any] struct {
	key     any
	running bool
	queue   []*place[T, R]  // not empty unless a task is running
	at      int             // index in the heap
	waiters []chan struct{} // signalled when running ends
}

func newOrderedQueue[T, R any](o *Order[T]) *orderedQueue[T, R] {
	return &orderedQueue[T, R]{order: o, lanes: make(map[any]*lane[T, R]), of: make(map[*Task[T, R]]*lane[T, R])}
}

// place finds out where a task belongs. It calls functions of the user.
func (o *orderedQueue[T, R]) place(it item[T, R]) *place[T, R] {
	p, arg := &place[T, R]{item: it}, it.arg()
	if o.order.Priority != nil {
		p.priority = o.order.Priority(arg)
	}
	if o.order.Key != nil {
		p.key, p.keyed = o.order.Key(arg)
	}
	if !p.keyed {
		p.key = p
	}
	return p
}

// len returns the number of tasks. o may be nil.
func (o *orderedQueue[T, R]) len() int {
	if o == nil {
		return 0
	}
	return o.n
}

// push adds a task that is accepted.
func (o *orderedQueue[T, R]) push(p *place[T, R], seq uint64, now time.Duration) {
	p.seq, p.at = seq, newSample(now, 0)
	p.due = float64(now) - float64(p.priority)*float64(o.order.Ageing)
	l := o.lanes[p.key]
	if l == nil {
		l = &lane[T, R]{key: p.key}
		o.lanes[p.key] = l
	}
	if p.task != nil {
		o.of[p.task] = l
	}
	o.n++
	o.most = max(o.most, o.n)
	l.queue = append(l.queue, p)
	if len(l.queue) == 1 && !l.running {
		heap.Push(&o.ready, l)
	}
}

// sample returns the origin of one of the tasks, see queue.sample. The choice depends on at.
func (o *orderedQueue[T, R]) sample(at uint64) *Origin[T, R] {
	looks := 0
	for _, l := range o.lanes { // the first one differs each time
		for i := range l.queue {
			if p := l.queue[(at+uint64(i))%uint64(len(l.queue))]; p.lingers() {
				return p.origin
			}
			if looks++; looks == sampleLooks {
				return nil
			}
		}
	}
	return nil
}

// take takes the first task of a lane that is ready. If the task has a key, the lane is
// running from now on, and take returns it.
func (o *orderedQueue[T, R]) take(l *lane[T, R]) (*place[T, R], *lane[T, R]) {
	heap.Remove(&o.ready, l.at)
	p := o.remove(l, 0)
	if !p.keyed {
		delete(o.lanes, l.key)
		return p, nil
	}
	l.running = true
	return p, l
}

// takeHeld takes t out of a lane that is running.
func (o *orderedQueue[T, R]) takeHeld(l *lane[T, R], t *Task[T, R]) *place[T, R] {
	return o.remove(l, slices.IndexFunc(l.queue, func(p *place[T, R]) bool { return p.task == t }))
}

func (o *orderedQueue[T, R]) remove(l *lane[T, R], i int) *place[T, R] {
	p := l.queue[i]
	copy(l.queue[1:], l.queue[:i])
	l.queue[0], l.queue = nil, l.queue[1:]
	delete(o.of, p.task)
	if o.n--; o.n == 0 {
		o.shrink()
	}
	return p
}

// shrink lets go of the memory of a long queue that is empty: maps and slices do not shrink.
func (o *orderedQueue[T, R]) shrink() {
	const few = 1024
	if o.most > few {
		o.ready, o.lanes, o.of = nil, maps.Collect(maps.All(o.lanes)), make(map[*Task[T, R]]*lane[T, R])
	}
	o.most = 0
}

// done is called when the running task of a lane has ended.
func (o *orderedQueue[T, R]) done(l *lane[T, R]) {
	l.running = false
	for _, wake := range l.waiters {
		sched.Signal(wake)
	}
	l.waiters = nil
	if len(l.queue) == 0 {
		delete(o.lanes, l.key)
	} else {
		heap.Push(&o.ready, l)
	}
}

// keep removes the tasks that are not wanted, and returns how many there were.
func (o *orderedQueue[T, R]) keep(wanted func(item[T, R]) bool) (removed int) {
	o.ready = o.ready[:0]
	for key, l := range o.lanes {
		n := len(l.queue)
		l.queue = slices.DeleteFunc(l.queue, func(p *place[T, R]) bool {
			gone := !wanted(p.item)
			if gone {
				delete(o.of, p.task)
			}
			return gone
		})
		removed += n - len(l.queue)
		switch {
		case l.running:
		case len(l.queue) == 0:
			delete(o.lanes, key)
		default:
			l.at = len(o.ready)
			o.ready = append(o.ready, l)
		}
	}
	clear(o.ready[len(o.ready):cap(o.ready)])
	heap.Init(&o.ready)
	if o.n -= removed; removed > o.n { // maps do not shrink
		o.lanes, o.of = maps.Collect(maps.All(o.lanes)), maps.Collect(maps.All(o.of))
	}
	return removed
}

// drain removes all items, and returns them in the order of acceptance.
func (o *orderedQueue[T, R]) drain() []item[T, R] {
	var all []*place[T, R]
	for _, l := range o.lanes {
		all = append(all, l.queue...)
	}
	o.keep(func(item[T, R]) bool { return false })
	slices.SortFunc(all, func(a, b *place[T, R]) int { return cmp.Compare(a.seq, b.seq) })
	items := make([]item[T, R], len(all))
	for i, p := range all {
		items[i] = p.item
	}
	return items
}

// A laneHeap is ordered by the first tasks: by due, then by acceptance.
type laneHeap[T, R any] []*lane[T, R]

func (h laneHeap[T, R]) Len() int { return len(h) }

func (h laneHeap[T, R]) Less(i, j int) bool {
	a, b := h[i].queue[0], h[j].queue[0]
	return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.seq, b.seq)) < 0
}

func (h laneHeap[T, R]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push and Pop are for container/heap.
func (h *laneHeap[T, R]) Push(x any) {
	l := x.(*lane[T, R])
	l.at = len(*h)
	*h = append(*h, l)
}

func (h *laneHeap[T, R]) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}
