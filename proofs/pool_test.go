package proofs_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/tandemgo/tandem/pool"
)

// A poolMachine is a pool whose tasks run until they are told to end, and the
// books it should keep.
type poolMachine struct {
	p       *pool.Pool[*task, int]
	workers int
	queue   int
	resized bool
	closed  chan struct{} // nil: not asked for; closed when Close has returned
	tasks   []*task       // that were accepted
	waiting []*task       // for room, first come first
	starts  chan *task
	running []*task
	over    pool.Stats // what has ended
}

type task struct {
	id       int
	end      chan error
	answer   chan error // of the call that submits it
	future   *pool.Future[int]
	started  bool
	resolved bool
	want     error
}

// P1–P4, P6, P9: a pool does with tasks what its books say.
func TestPoolMachine(t *testing.T) {
	inBubbles(t, func(r *rapid.T) {
		m := &poolMachine{
			workers: rapid.IntRange(1, 4).Draw(r, "workers"),
			queue:   rapid.IntRange(0, 5).Draw(r, "queue"),
			starts:  make(chan *task, 1000),
		}
		m.p = pool.New(m.workers, func(_ context.Context, k *task) (int, error) {
			m.starts <- k
			err := <-k.end
			return k.id, err
		}, pool.WithQueue(m.queue))
		defer m.finish()
		r.Repeat(map[string]func(*rapid.T){
			"Submit":    func(r *rapid.T) { m.submit(r, m.p.Submit, false) },
			"TrySubmit": func(r *rapid.T) { m.submit(r, m.p.TrySubmit, true) },
			"Go":        func(r *rapid.T) { m.submit(r, noFuture(m.p.Go), false) },
			"TryGo":     func(r *rapid.T) { m.submit(r, noFuture(m.p.TryGo), true) },
			"End": func(r *rapid.T) {
				if len(m.running) == 0 {
					r.Skip("none is running")
				}
				m.end(rapid.SampledFrom(m.running).Draw(r, "task"), rapid.SampledFrom([]error{nil, errTask}).Draw(r, "error"))
			},
			"Cancel": func(r *rapid.T) {
				futures := slices.DeleteFunc(slices.Clone(m.tasks), func(k *task) bool { return k.future == nil || k.started || k.resolved })
				if len(futures) == 0 {
					r.Skip("none is queued")
				}
				k := rapid.SampledFrom(futures).Draw(r, "task")
				k.future.Cancel(errCancelled)
				k.resolved, k.want = true, errCancelled
				m.over.Cancelled++
			},
			"Resize": func(r *rapid.T) {
				m.workers, m.resized = rapid.IntRange(1, 4).Draw(r, "workers"), true
				m.p.Resize(m.workers)
			},
			"Close": func(r *rapid.T) {
				if m.closed != nil || rapid.IntRange(0, 9).Draw(r, "luck") > 0 {
					r.Skip("not yet")
				}
				m.closed = make(chan struct{})
				go func() { defer close(m.closed); _ = m.p.Close() }()
			},
			"": func(r *rapid.T) { m.check(r) },
		})
	})
}

var errTask = errors.New("task failed")

func noFuture(call func(context.Context, *task) error) func(context.Context, *task) (*pool.Future[int], error) {
	return func(ctx context.Context, k *task) (*pool.Future[int], error) { return nil, call(ctx, k) }
}

func (m *poolMachine) submit(r *rapid.T, call func(context.Context, *task) (*pool.Future[int], error), try bool) {
	k := &task{id: len(m.tasks) + len(m.waiting), end: make(chan error, 1), answer: make(chan error, 1)}
	room := len(m.waiting) == 0 && m.unfinished() < m.workers+m.queue
	ctx := r.Context()
	go func() {
		var err error
		k.future, err = call(ctx, k)
		k.answer <- err
	}()
	synctest.Wait()
	switch {
	case m.closed != nil:
		m.answered(r, k, pool.ErrClosed)
	case room:
		m.answered(r, k, nil)
		m.tasks = append(m.tasks, k)
	case try:
		m.answered(r, k, pool.ErrQueueFull)
	default:
		m.waiting = append(m.waiting, k)
	}
}

func (m *poolMachine) answered(r *rapid.T, k *task, want error) {
	select {
	case err := <-k.answer:
		if err != want {
			r.Fatalf("task %d was answered %v, want %v", k.id, err, want)
		}
	default:
		r.Fatalf("task %d has no answer, want %v", k.id, want)
	}
}

func (m *poolMachine) unfinished() int {
	return len(m.tasks) - int(m.over.Completed+m.over.Failed+m.over.Cancelled)
}

func (m *poolMachine) end(k *task, err error) {
	k.end <- err
	k.resolved, k.want = true, err
	m.running = slices.DeleteFunc(m.running, func(o *task) bool { return o == k })
	if err == nil {
		m.over.Completed++
	} else {
		m.over.Failed++
	}
}

// check looks at everything when it is at rest.
func (m *poolMachine) check(r *rapid.T) {
	synctest.Wait()
	for len(m.waiting) > 0 {
		k := m.waiting[0]
		if m.closed != nil {
			m.answered(r, k, pool.ErrClosed)
		} else if m.unfinished() < m.workers+m.queue {
			m.answered(r, k, nil)
			m.tasks = append(m.tasks, k)
		} else {
			break
		}
		m.waiting = m.waiting[1:]
	}
	for before := len(m.running); len(m.starts) > 0; {
		k := <-m.starts
		if k.started || k.resolved || len(m.running) >= max(before, m.workers) {
			r.Fatalf("task %d was started, with %d of %d running", k.id, len(m.running), m.workers)
		}
		k.started = true
		m.running = append(m.running, k)
		if m.workers == 1 && !m.resized {
			if i := slices.IndexFunc(m.tasks, func(o *task) bool { return !o.started && !o.resolved }); i >= 0 && m.tasks[i].id < k.id {
				r.Fatalf("task %d was started before %d", k.id, m.tasks[i].id)
			}
		}
	}
	queued := m.unfinished() - len(m.running)
	if queued > 0 && len(m.running) < m.workers {
		r.Fatalf("%d are queued, with %d of %d running", queued, len(m.running), m.workers)
	}
	want := m.over
	want.Limit, want.Queued, want.Running, want.Blocked, want.Submitted = m.workers, queued, len(m.running), len(m.waiting), uint64(len(m.tasks))
	got := m.p.Stats()
	want.Workers, want.QueueWait, want.RunTime = got.Workers, got.QueueWait, got.RunTime
	if !sameStats(got, want) {
		r.Fatalf("%+v, want %+v", got, want)
	}
	for _, k := range m.tasks {
		if k.future == nil || !k.resolved {
			continue
		}
		select {
		case <-k.future.Done():
			v, err := k.future.Wait(context.Background())
			if !errors.Is(err, k.want) || errors.Is(err, pool.ErrNotStarted) == k.started || err == nil && v != k.id {
				r.Fatalf("task %d: %d, %v", k.id, v, err)
			}
		default:
			r.Fatalf("the future of task %d is not done", k.id)
		}
	}
}

func sameStats(a, b pool.Stats) bool {
	return a.Limit == b.Limit && a.Queued == b.Queued && a.Running == b.Running && a.Waiting == b.Waiting && a.Blocked == b.Blocked &&
		a.Submitted == b.Submitted && a.Completed == b.Completed && a.Failed == b.Failed && a.Cancelled == b.Cancelled
}

// finish lets everything end.
func (m *poolMachine) finish() {
	ctx := context.Background()
	go m.p.Stop(ctx)
	for range 2 { // those that were taken before Stop start after it
		synctest.Wait()
		for len(m.starts) > 0 {
			m.running = append(m.running, <-m.starts)
		}
		for _, k := range m.running {
			k.end <- nil
		}
		m.running = nil
	}
	m.p.Stop(ctx)
}
