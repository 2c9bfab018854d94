package pool

import "slices"

// takeLocked fills the empty batch of w, and reports how many tasks it got and
// whether there are more for others.
func (e *engine[T, R]) takeLocked(w *worker[T, R]) (n int, more bool) {
	if e.order != nil {
		return e.takeInOrderLocked(w)
	}
	if v := e.stuckLocked(w); v != nil {
		if n = e.stealLocked(w, v, true); n > 0 {
			return n, true
		}
	}
	if e.tasks.n == 0 {
		e.emptyInboxLocked()
	}
	n, seq := e.tasks.ready()
	if n == 0 {
		for _, v := range e.workers {
			if n = e.stealLocked(w, v, false); n > 0 {
				return n, n > 1 || v.tally.unclaimed() > 0
			}
		}
		return 0, false
	}
	n = min(max(e.tasks.n/4, 1), n, len(w.batch.tasks))
	w.batch.sampled = -1
	smp, ok, rest := due(e.samples, seq, n)
	if e.samples = rest; ok {
		n = int(smp.seq-seq) + 1 // at most one sample a batch, its last
		w.batch.sampled, w.batch.sample = n-1, smp
	}
	w.batch.seq = seq
	e.tasks.take(n, &w.batch)
	e.filledLocked(w, n)
	return n, n > 1 || e.tasks.n > 0
}

// emptyInboxLocked moves what has been submitted to where workers take from,
// which is empty.
func (e *engine[T, R]) emptyInboxLocked() {
	e.in.mu.Lock()
	e.in.tasks.moveTo(&e.tasks)
	e.samples = append(e.samples[:0], e.in.sampler.pending...)
	e.in.sampler.pending = e.in.sampler.pending[:0]
	ranks := e.in.ranks
	e.in.ranks = nil
	e.in.mu.Unlock()
	if e.order != nil {
		for i, it := range e.tasks.drain() {
			e.order.push(it, ranks[i])
		}
	}
}

// takeInOrderLocked is takeLocked for a pool with keys or priorities. Every task
// is timed there.
func (e *engine[T, R]) takeInOrderLocked(w *worker[T, R]) (n int, more bool) {
	e.emptyInboxLocked()
	if e.order.len() == 0 {
		return 0, false
	}
	p := e.order.pop()
	w.rank = p.rank
	w.batch.seq, w.batch.same, w.batch.tasks[0] = p.seq, p.ticket, p.task
	w.batch.sampled, w.batch.sample = 0, sample{at: p.accepted, weight: 1}
	e.filledLocked(w, 1)
	return 1, e.order.len() > 0
}

func (e *engine[T, R]) filledLocked(w *worker[T, R], n int) {
	e.takes++
	w.taken = e.takes
	w.tally.fill(n)
}

// stuckLocked looks at one of the other workers in turn and returns it if
// everybody else has come for more several times since it last did.
func (e *engine[T, R]) stuckLocked(w *worker[T, R]) *worker[T, R] {
	e.turn++
	v := e.workers[e.turn%len(e.workers)]
	if v == w || e.takes-v.taken < 2*uint64(len(e.workers)) {
		return nil
	}
	return v
}

// stealLocked moves unclaimed tasks from the batch of v to the empty one of w.
func (e *engine[T, R]) stealLocked(w, v *worker[T, R], all bool) int {
	if v == w {
		return 0
	}
	from, to := v.tally.steal(all)
	if from == to {
		return 0
	}
	v.batch.move(from, to, &w.batch)
	e.filledLocked(w, to-from)
	return to - from
}

// recallLocked takes back what workers have not claimed, in the order of
// submission.
func (e *engine[T, R]) recallLocked() (items []item[T, R]) {
	for _, v := range e.workers {
		items = append(items, v.batch.items(v.tally.steal(true))...)
	}
	slices.SortFunc(items, bySeq)
	return items
}
