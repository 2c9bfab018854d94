package pool_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// A poolScript plays operations on a pool and keeps the books that a pool should
// keep. Between two operations everything is at rest.
type poolScript struct {
	t      *testing.T
	in     *testkit.Script
	p      *pool.Pool[int, int]
	limit  int // of workers; 0: paused
	resume int // limit when a pause ends
	queue  int
	keys   int  // 0: the pool does not know of keys
	alone  bool // there never was more than one worker, and no task in place
	closed bool
	over   bool           // it was stopped or shut down
	ending sync.WaitGroup // of Close, Shutdown and Stop
	left   []int          // what Stop handed back
	idle   atomic.Int64   // calls of Wait that have not returned

	shared context.Context // of many tasks
	revoke context.CancelCauseFunc

	most int // that may run, until fewer do

	mu      sync.Mutex
	tasks   []*scriptTask // by id
	started []int
	running int
	inPlace int     // tasks that wait for another
	told    []error // what the handler was given
}

type scriptTask struct {
	id      int
	kind    taskKind
	quick   bool
	release chan struct{}
	ctx     context.Context
	cancel  context.CancelCauseFunc
	handled bool // somebody gets its result

	submitted chan error // of capacity 1: what Go or Submit said
	accepted  bool
	refused   error
	future    *pool.Future[int]
	dead      error // why it must not run: it was cancelled before it started

	runs  int
	ended bool
	err   error
}

type taskKind int

const (
	succeeds taskKind = iota
	fails
	panics
	exits
	nests // submits another one and waits for it
	taskKinds
)

var (
	errNotWanted = errors.New("not wanted any more")
	errTooLate   = errors.New("too late")
)

func newPoolScript(t *testing.T, in *testkit.Script) *poolScript {
	s := &poolScript{t: t, in: in, limit: 1 + in.IntN(4), queue: in.IntN(8)}
	s.alone, s.most, s.resume = s.limit == 1, s.limit, s.limit
	s.shared, s.revoke = context.WithCancelCause(t.Context())
	opts := []pool.Option{pool.WithQueue(s.queue), pool.WithErrorHandler(func(_ context.Context, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.told = append(s.told, err)
	})}
	if in.Bool() {
		opts = append(opts, pool.WithMinWorkers(1))
	}
	var order *pool.Order[int]
	if s.keys = in.IntN(5); s.keys > 0 {
		order = new(pool.ByKey(s.key))
	}
	s.p = build(s.limit, order, s.run, opts...)
	return s
}

func (s *poolScript) key(id int) int { return id % s.keys }

// run is the function of the pool.
func (s *poolScript) run(ctx context.Context, id int) (v int, err error) {
	s.mu.Lock()
	task := s.tasks[id]
	task.runs++
	s.running++
	s.started = append(s.started, id)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running--
		task.ended, task.err = true, err
	}()
	if !task.quick {
		select {
		case <-task.release:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	switch task.kind {
	case fails:
		return 0, errTask
	case panics:
		err = errTask
		panic(errTask)
	case exits:
		err = pool.ErrGoexit
		runtime.Goexit()
	case nests:
		return s.nest(ctx, id)
	}
	return 2 * id, nil
}

// nest runs another task from inside of one.
func (s *poolScript) nest(ctx context.Context, id int) (int, error) {
	child := s.newTask(succeeds, true)
	s.mu.Lock()
	s.alone = false
	child.handled = true
	s.inPlace++
	s.running--
	s.mu.Unlock()
	v, err := s.p.Do(ctx, child.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inPlace--
	s.running++
	child.accepted = err == nil || child.runs > 0
	child.refused = err
	if err == nil && v != 2*child.id {
		s.t.Errorf("task %d in task %d gave %d", child.id, id, v)
	}
	return 2 * id, err
}

func (s *poolScript) newTask(kind taskKind, quick bool) *scriptTask {
	s.mu.Lock()
	defer s.mu.Unlock()
	task := &scriptTask{id: len(s.tasks), kind: kind, quick: quick, release: make(chan struct{}), submitted: make(chan error, 1)}
	s.tasks = append(s.tasks, task)
	return task
}

func (s *poolScript) step() {
	switch s.in.IntN(13) {
	case 0, 1, 2, 3:
		s.submit(s.in.IntN(8))
	case 4: // let the one go that has run longest, or another
		if tasks := s.now(); len(tasks) > 0 {
			s.let(tasks[s.in.IntN(len(tasks))])
		}
	case 5:
		if task := s.any(); task != nil && task.cancel != nil {
			s.doom(task)
			task.cancel(errNotWanted)
		}
	case 6:
		if task := s.any(); task != nil && task.future != nil {
			s.doom(task)
			task.future.Cancel(errNotWanted)
		}
	case 7:
		n := s.in.IntN(6)
		s.p.Resize(n)
		if s.limit = n; n > 0 {
			s.resume = n
		} else if s.closed {
			s.limit = s.resume
		}
		s.alone = s.alone && s.limit <= 1
	case 8:
		time.Sleep(time.Duration(s.in.IntN(256)) * 100 * time.Millisecond) // workers end after 10 s
	case 9:
		s.close()
		s.ending.Go(func() {
			if err := s.p.Close(); err != nil {
				s.t.Errorf("Close: %v", err)
			}
		})
	case 10:
		s.close()
		s.over = true
		ctx := s.t.Context()
		if s.in.Bool() {
			ctx = over(errTooLate)
		}
		s.ending.Go(func() {
			left, _ := s.p.Stop(ctx)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.left = append(s.left, left...)
		})
	case 11:
		s.shutdown()
	case 12:
		s.idle.Add(1)
		go func() {
			must0(s.p.Wait(s.t.Context()))
			s.idle.Add(-1)
		}()
	}
}

// close notes that the pool is about to be closed, which ends a pause.
func (s *poolScript) close() {
	s.closed = true
	if s.limit == 0 {
		s.limit = s.resume
	}
}

// shutdown shuts the pool down with no time left: what is queued will not run.
func (s *poolScript) shutdown() {
	busy := s.running + s.inPlace
	for _, task := range s.tasks {
		if task.accepted && task.runs == 0 && task.dead == nil && !s.over {
			task.dead = errTooLate
			busy++
		}
	}
	s.close()
	s.over = true
	ctx, cancel := context.WithCancelCause(s.t.Context())
	cancel(errTooLate)
	s.ending.Go(func() {
		if err := s.p.Shutdown(ctx); errors.Is(err, errTooLate) != (busy > 0) || busy == 0 && err != nil {
			s.t.Errorf("Shutdown with %d tasks: %v", busy, err)
		}
	})
}

// now returns the tasks that run and can be let go. One that is let go may make
// another.
func (s *poolScript) now() (tasks []*scriptTask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, task := range s.tasks {
		if task.runs > 0 && !task.ended && task.release != nil {
			tasks = append(tasks, task)
		}
	}
	return tasks
}

func (s *poolScript) let(task *scriptTask) {
	close(task.release)
	task.release = nil
}

func (s *poolScript) any() *scriptTask {
	if len(s.tasks) == 0 {
		return nil
	}
	return s.tasks[s.in.IntN(len(s.tasks))]
}

// doom notes that a task, which is about to be cancelled, must not start.
func (s *poolScript) doom(task *scriptTask) {
	if task.runs == 0 && task.dead == nil && !s.over {
		task.dead = errNotWanted
	}
}

func (s *poolScript) submit(how int) {
	kind, quick := taskKind(s.in.IntN(int(taskKinds))), s.in.Bool()
	if kind == nests && s.keys > 0 {
		kind = succeeds // where a task waits for one of another key is left to chance
	}
	task := s.newTask(kind, quick)
	if task.ctx = s.shared; how >= 4 {
		task.ctx, task.cancel = context.WithCancelCause(s.t.Context())
	}
	st := s.p.Stats()
	room := st.Queued+st.Running+st.Waiting < max(st.Limit, 1)+s.queue && st.Blocked == 0
	dead := 0 // in the queue; when that is noticed there is room
	for _, other := range s.tasks {
		if other.accepted && other.runs == 0 && other.dead != nil {
			dead++
		}
	}
	var want error // of those that do not wait
	switch {
	case s.closed:
		want = pool.ErrClosed
	case !room:
		want = pool.ErrQueueFull
	}
	task.handled = how%4 >= 2
	trying := how%2 == 1
	go func() {
		var err error
		switch how % 4 {
		case 0:
			err = s.p.Go(task.ctx, task.id)
		case 1:
			err = s.p.TryGo(task.ctx, task.id)
		case 2:
			task.future, err = s.p.Submit(task.ctx, task.id)
		case 3:
			task.future, err = s.p.TrySubmit(task.ctx, task.id)
		}
		task.submitted <- err
	}()
	synctest.Wait()
	select {
	case err := <-task.submitted:
		task.accepted, task.refused = err == nil, err
		if noticed := want == pool.ErrQueueFull && dead > 0 && err == nil; !noticed && err != want {
			s.t.Errorf("task %d, way %d: %v, want %v", task.id, how, err, want)
		}
	default:
		if trying || want != pool.ErrQueueFull { // it is noticed a little later that others are dead
			s.t.Errorf("task %d, way %d: it waits, want %v", task.id, how, want)
		}
	}
}

// startedInOrder reports whether the tasks that were started were so in the
// order in which they came.
func (s *poolScript) startedInOrder() bool { return slices.IsSorted(s.started) }
