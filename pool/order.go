package pool

import (
	"container/heap"
	"math"
	"time"
)

// An order decides what runs next in a pool with keys or priorities. It takes
// the place of the engine's queue; tasks come to it out of the inbox, with the
// rank that was found for them when they were submitted. The engine's lock
// guards it.
//
// What could run now is in a heap, by the time at which it was accepted less
// what its priority is worth. Tasks of one key form a lane: of them only the
// first is in the heap, and none while one is running.
type order[T, R any] struct {
	keys     keyTable[T] // nil without keys
	priority func(T) int // nil without priorities
	ageing   time.Duration

	heap  placeHeap[T, R]
	lanes map[*key]*lane[T, R]
	held  int                                // places in lanes that are not in the heap
	of    map[taskID[T, R]]*orderPlace[T, R] // those of tasks that are waited for
}

// A rank is where a task belongs. It is found outside of all locks, since keys
// and priorities are given by functions of the user.
type rank struct {
	key      *key
	priority int
	accepted time.Duration // since core.base
}

// A taskID tells a task that is waited for from all others.
type taskID[T, R any] struct {
	to    receiver[T, R]
	index int
}

type orderPlace[T, R any] struct {
	item[T, R]
	rank
	due  time.Duration // what the heap goes by
	lane *lane[T, R]   // nil without a key
	at   int           // index in the heap
}

func (p *orderPlace[T, R]) id() taskID[T, R] {
	return taskID[T, R]{p.ticket.to, p.ticket.index(p.seq)}
}

type lane[T, R any] struct {
	key     *key
	running bool
	queue   []*orderPlace[T, R]
	changed chan struct{} // closed when running ends; nil if nobody waits for that
}

func newOrder[T, R any](o options, call string) *order[T, R] {
	if o.key == nil && o.priority == nil {
		return nil
	}
	ord := &order[T, R]{
		priority: typed[priorityFunc[T], T](o.priority, call, "WithPriority"),
		ageing:   o.ageing,
		lanes:    make(map[*key]*lane[T, R]),
		of:       make(map[taskID[T, R]]*orderPlace[T, R]),
	}
	if source := typed[keySource[T], T](o.key, call, "WithKey"); source != nil {
		ord.keys = source.table()
	}
	return ord
}

// rank finds where a task belongs. It runs code of the user.
func (o *order[T, R]) rank(task T) (r rank) {
	if o.priority != nil {
		r.priority = o.priority(task)
	}
	if o.keys != nil {
		r.key = o.keys.of(task)
	}
	return r
}

// forget is called once for each rank when its task needs it no more.
func (o *order[T, R]) forget(r rank) {
	if r.key != nil {
		o.keys.forget(r.key)
	}
}

// due is the time of acceptance, less the priority times the time it is worth.
func (o *order[T, R]) due(r rank) time.Duration {
	worth := float64(r.priority) * float64(o.ageing)
	switch at := float64(r.accepted) - worth; {
	case at >= math.MaxInt64:
		return math.MaxInt64
	case at <= math.MinInt64:
		return math.MinInt64
	case r.priority == 0:
		return r.accepted
	default:
		return time.Duration(at)
	}
}

func (o *order[T, R]) len() int { return len(o.heap) }

func (o *order[T, R]) push(it item[T, R], r rank) {
	p := &orderPlace[T, R]{item: it, rank: r, due: o.due(r)}
	if it.ticket.to != nil {
		o.of[p.id()] = p
	}
	if r.key != nil {
		l := o.lanes[r.key]
		if l == nil {
			l = &lane[T, R]{key: r.key}
			o.lanes[r.key] = l
		}
		p.lane = l
		l.queue = append(l.queue, p)
		if l.running || len(l.queue) > 1 {
			o.held++
			return
		}
	}
	heap.Push(&o.heap, p)
}

// pop takes the task that is due; it must not be empty.
func (o *order[T, R]) pop() *orderPlace[T, R] {
	p := o.heap[0]
	o.take(p)
	return p
}

// take takes p, which is in the heap. Its lane is running from now on.
func (o *order[T, R]) take(p *orderPlace[T, R]) {
	heap.Remove(&o.heap, p.at)
	if p.ticket.to != nil {
		delete(o.of, p.id())
	}
	if l := p.lane; l != nil {
		l.queue[0] = nil
		l.queue = l.queue[1:]
		l.running = true
	}
}

// takeHeld takes p out of its lane, in which a task is running.
func (o *order[T, R]) takeHeld(p *orderPlace[T, R]) {
	l := p.lane
	for i, q := range l.queue {
		if q == p {
			copy(l.queue[i:], l.queue[i+1:])
			l.queue[len(l.queue)-1] = nil
			l.queue = l.queue[:len(l.queue)-1]
			break
		}
	}
	o.held--
	delete(o.of, p.id())
}

// done is called when the task that makes the lane of r run has ended.
func (o *order[T, R]) done(r rank) {
	l := o.lanes[r.key]
	l.running = false
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	if len(l.queue) == 0 {
		delete(o.lanes, r.key)
	} else {
		o.held--
		heap.Push(&o.heap, l.queue[0])
	}
	o.forget(r)
}

// drain empties the order, in the order of acceptance as nearly as no matter,
// and forgets the ranks of what was in it.
func (o *order[T, R]) drain() (items []item[T, R]) {
	for _, p := range o.heap {
		if p.lane == nil {
			items = append(items, p.item)
			o.forget(p.rank)
		}
	}
	for _, l := range o.lanes {
		for _, p := range l.queue {
			items = append(items, p.item)
			o.forget(p.rank)
		}
		l.queue = nil
		if !l.running {
			delete(o.lanes, l.key)
		}
	}
	o.heap, o.held = nil, 0
	clear(o.of)
	return items
}

// A placeHeap is ordered by due, then by acceptance.
type placeHeap[T, R any] []*orderPlace[T, R]

func (h placeHeap[T, R]) Len() int { return len(h) }

func (h placeHeap[T, R]) Less(i, j int) bool {
	if h[i].due != h[j].due {
		return h[i].due < h[j].due
	}
	return h[i].seq < h[j].seq
}

func (h placeHeap[T, R]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push and Pop are for container/heap.
func (h *placeHeap[T, R]) Push(x any) {
	p := x.(*orderPlace[T, R])
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
