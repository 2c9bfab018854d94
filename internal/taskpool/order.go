package taskpool

import (
	"cmp"
	"container/heap"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/sched"
)

// An Order says in which order tasks run.
type Order[T any] struct {
	Key      func(T) (key any, ok bool) // nil without keys; not ok: the task has no key
	Priority func(T) int                // nil without priorities
	Ageing   time.Duration              // that a step of priority is worth
}

// An orderedQueue takes the place of the queue in a pool with keys or priorities. Engine.mu
// guards it.
//
// The tasks that could run now are in a heap, by the time at which they were accepted less
// what their priority is worth. Tasks of one key form a lane: the heap has only the first of
// them, and none while one is running.
type orderedQueue[T, R any] struct {
	order  *Order[T]
	ready  placeHeap[T, R]
	lanes  map[any]*lane[T, R]          // by key
	held   int                          // places in lanes that are not in the heap
	places map[*Task[T, R]]*place[T, R] // of tasks that are waited for
}

// A place is a task in an ordered queue.
type place[T, R any] struct {
	item[T, R]
	key      any
	keyed    bool
	priority int
	seq      uint64 // in the order of acceptance
	accepted time.Duration
	due      time.Duration // what the heap goes by
	lane     *lane[T, R]   // nil without a key
	at       int           // index in the heap
}

// A lane has the tasks of one key.
type lane[T, R any] struct {
	key     any
	running bool
	queue   []*place[T, R]
	waiters []chan struct{} // signalled when running ends
}

func newOrderedQueue[T, R any](o *Order[T]) *orderedQueue[T, R] {
	return &orderedQueue[T, R]{order: o, lanes: make(map[any]*lane[T, R]), places: make(map[*Task[T, R]]*place[T, R])}
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
	return p
}

// dueTime returns the time of acceptance, less the priority times what a step is worth.
func (o *orderedQueue[T, R]) dueTime(p *place[T, R]) time.Duration {
	at := float64(p.accepted) - float64(p.priority)*float64(o.order.Ageing)
	switch {
	case p.priority == 0:
		return p.accepted
	case at >= math.MaxInt64:
		return math.MaxInt64
	case at <= math.MinInt64:
		return math.MinInt64
	}
	return time.Duration(at)
}

// len returns the number of tasks. o may be nil.
func (o *orderedQueue[T, R]) len() int {
	if o == nil {
		return 0
	}
	return len(o.ready) + o.held
}

// push adds a task that is accepted.
func (o *orderedQueue[T, R]) push(p *place[T, R], seq uint64, now time.Duration) {
	p.task.accepted()
	p.seq, p.accepted = seq, now
	p.due = o.dueTime(p)
	if !p.task.Origin.Detached {
		o.places[p.task] = p
	}
	if p.keyed {
		l := o.lanes[p.key]
		if l == nil {
			l = &lane[T, R]{key: p.key}
			o.lanes[p.key] = l
		}
		p.lane = l
		l.queue = append(l.queue, p)
		if l.running || len(l.queue) > 1 {
			o.held++
			return
		}
	}
	heap.Push(&o.ready, p)
}

// suspects returns two of the tasks if it is time to look for tasks whose context has ended, see
// queue.suspects.
func (o *orderedQueue[T, R]) suspects(since uint64) (s [2]*Task[T, R]) {
	if o.len() == 0 || since < uint64(o.len())/8 {
		return s
	}
	n := 0
	note := func(places []*place[T, R]) {
		for k := 0; k < len(places) && k < chunkSize && n < len(s); k++ {
			if t := places[(int(since)+k)%len(places)].task; mayEnd(t) {
				s[n] = t
				n++
			}
		}
	}
	note(o.ready)
	tries := 0
	for _, l := range o.lanes { // in an order that differs each time
		if tries++; tries > 4 {
			break
		}
		note(l.queue)
	}
	return s
}

// pop takes the task that is due. There must be one.
func (o *orderedQueue[T, R]) pop() *place[T, R] {
	p := o.ready[0]
	o.take(p)
	return p
}

// take takes p, which is ready. Its lane is running from now on.
func (o *orderedQueue[T, R]) take(p *place[T, R]) {
	heap.Remove(&o.ready, p.at)
	delete(o.places, p.task)
	if l := p.lane; l != nil {
		l.queue = slices.Delete(l.queue, 0, 1)
		l.running = true
	}
}

// takeHeld takes p out of its lane, in which a task is running.
func (o *orderedQueue[T, R]) takeHeld(p *place[T, R]) {
	i := slices.Index(p.lane.queue, p)
	p.lane.queue = slices.Delete(p.lane.queue, i, i+1)
	o.held--
	delete(o.places, p.task)
}

// done says that the running task of a lane has ended.
func (o *orderedQueue[T, R]) done(l *lane[T, R]) {
	l.running = false
	for _, wake := range l.waiters {
		sched.Signal(wake)
	}
	l.waiters = nil
	o.advance(l)
}

// advance makes the first task of a lane that is not running ready, and forgets a lane that
// is empty.
func (o *orderedQueue[T, R]) advance(l *lane[T, R]) {
	if len(l.queue) == 0 {
		delete(o.lanes, l.key)
		return
	}
	o.held--
	heap.Push(&o.ready, l.queue[0])
}

// all returns all places.
func (o *orderedQueue[T, R]) all() []*place[T, R] {
	var all []*place[T, R]
	for _, p := range o.ready {
		if p.lane == nil {
			all = append(all, p)
		}
	}
	for _, l := range o.lanes {
		all = append(all, l.queue...)
	}
	return all
}

// keep removes the tasks that are not wanted, and returns how many there were.
func (o *orderedQueue[T, R]) keep(wanted func(*Task[T, R]) bool) (removed int) {
	for _, p := range o.all() {
		if wanted(p.task) {
			continue
		}
		removed++
		switch l := p.lane; {
		case l == nil:
			o.take(p)
		case !l.running && l.queue[0] == p:
			o.take(p)
			l.running = false
			o.advance(l)
		default:
			o.takeHeld(p)
			if len(l.queue) == 0 && !l.running {
				delete(o.lanes, l.key)
			}
		}
	}
	if removed > o.len() { // maps do not shrink
		o.lanes, o.places = maps.Collect(maps.All(o.lanes)), maps.Collect(maps.All(o.places))
	}
	return removed
}

// drain removes all tasks, and returns them in the order of acceptance.
func (o *orderedQueue[T, R]) drain() []*place[T, R] {
	all := o.all()
	for _, l := range o.lanes {
		if l.queue = nil; !l.running {
			delete(o.lanes, l.key)
		}
	}
	o.ready, o.held = nil, 0
	clear(o.places)
	slices.SortFunc(all, func(a, b *place[T, R]) int { return cmp.Compare(a.seq, b.seq) })
	return all
}

// A placeHeap is ordered by due, then by acceptance.
type placeHeap[T, R any] []*place[T, R]

func (h placeHeap[T, R]) Len() int { return len(h) }

func (h placeHeap[T, R]) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].due, h[j].due), cmp.Compare(h[i].seq, h[j].seq)) < 0
}

func (h placeHeap[T, R]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push and Pop are for container/heap.
func (h *placeHeap[T, R]) Push(x any) {
	p := x.(*place[T, R])
	p.at = len(*h)
	*h = append(*h, p)
}

func (h *placeHeap[T, R]) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return p
}
