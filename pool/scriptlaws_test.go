package pool_test

import (
	"errors"
	"slices"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tandemgo/tandem/pool"
)

// check looks at the laws while everything is at rest.
func (s *poolScript) check() {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, accepted := 0, 0
	for _, task := range s.tasks {
		select {
		case err := <-task.submitted:
			task.accepted, task.refused = err == nil, err
			if err != nil && err != pool.ErrClosed && err != task.dead {
				s.t.Errorf("task %d was refused: %v", task.id, err)
			}
		default:
			if task.ctx != nil && !task.accepted && task.refused == nil {
				waiting++
			}
		}
		if task.accepted {
			accepted++
		}
		s.checkTask(task)
	}
	st := s.p.Stats()
	checkSum(s.t, st)
	if int(st.Submitted) != accepted || st.Limit != s.limit || st.Blocked != waiting {
		s.t.Errorf("%d accepted, limit %d, %d wait for room: %+v", accepted, s.limit, waiting, st)
	}
	if st.Running != s.running || st.Waiting != s.inPlace {
		s.t.Errorf("%d are running, %d wait for one in place: %+v", s.running, s.inPlace, st)
	}
	// P1: at rest, no one waits for tasks when there is none.
	if n := s.idle.Load(); n > 0 && st.Queued+st.Running+st.Waiting == 0 {
		s.t.Errorf("%d calls of Wait have not returned: %+v", n, st)
	}
	// P3: after Resize those that run go on, and nobody else starts.
	if s.most = max(s.limit, min(s.most, s.running)); s.running > s.most {
		s.t.Errorf("%d are running, at most %d may", s.running, s.most)
	}
	// P4
	if s.running+s.inPlace < s.limit && s.startable() {
		s.t.Errorf("%d are queued while a worker is idle: %+v", st.Queued, st)
	}
	if waiting > 0 && st.Queued+st.Running+st.Waiting < max(s.limit, 1)+s.queue {
		s.t.Errorf("%d wait for room, and there is some: %+v", waiting, st)
	}
	// P9
	if s.alone && !s.startedInOrder() {
		s.t.Errorf("one worker started %v", s.started)
	}
	s.checkKeys()
}

// startable reports whether a task is queued that nothing but a worker is missing
// for.
func (s *poolScript) startable() bool {
	busy := map[int]bool{}
	for _, task := range s.tasks {
		if s.keys > 0 && task.runs > 0 && !task.ended {
			busy[s.key(task.id)] = true
		}
	}
	return slices.ContainsFunc(s.tasks, func(task *scriptTask) bool {
		return task.accepted && task.runs == 0 && task.dead == nil && !s.over && (s.keys == 0 || !busy[s.key(task.id)])
	})
}

// checkKeys looks at what ByKey promises: in order, and one at a time.
func (s *poolScript) checkKeys() {
	for k := range s.keys {
		running, last := 0, -1
		for _, id := range s.started {
			if s.key(id) != k {
				continue
			}
			if id < last {
				s.t.Errorf("of key %d, task %d was started after %d", k, id, last)
			}
			if last = id; !s.tasks[id].ended {
				running++
			}
		}
		if running > 1 {
			s.t.Errorf("of key %d, %d are running", k, running)
		}
	}
}

// checkTask looks at what P1 and P6 say of one task.
func (s *poolScript) checkTask(task *scriptTask) {
	switch {
	case task.runs > 1:
		s.t.Errorf("task %d ran %d times", task.id, task.runs)
	case task.runs > 0 && task.dead != nil:
		s.t.Errorf("task %d ran after it was cancelled", task.id)
	case task.runs > 0 && task.refused != nil && task.ctx != nil:
		s.t.Errorf("task %d ran, but was refused: %v", task.id, task.refused)
	}
	if task.future == nil || !task.accepted {
		return
	}
	select {
	case <-task.future.Done():
	default:
		if task.ended || task.dead != nil {
			s.t.Errorf("task %d is over, and its future does not know", task.id)
		}
		return
	}
	v, err := task.future.Wait(s.t.Context())
	switch {
	case task.runs == 0:
		want := task.dead
		if want == nil {
			want = pool.ErrClosed // it was handed back
		}
		if !errors.Is(err, want) || !errors.Is(err, pool.ErrNotStarted) {
			s.t.Errorf("task %d did not run and ended with %v, want %v", task.id, err, want)
		}
	case !task.ended:
		s.t.Errorf("task %d is running and its future is done", task.id)
	case !errors.Is(err, task.err):
		s.t.Errorf("task %d ended with %v, want %v", task.id, err, task.err)
	case err == nil && v != 2*task.id:
		s.t.Errorf("task %d gave %d", task.id, v)
	}
}

// finish lets all go, closes the pool, and compares the books.
func (s *poolScript) finish() {
	defer s.revoke(nil)
	for !s.closed || len(s.now()) > 0 {
		if !s.closed {
			s.close()
			s.ending.Go(func() { _ = s.p.Close() })
		}
		for _, task := range s.now() {
			s.let(task)
		}
		synctest.Wait()
		if s.check(); s.t.Failed() {
			break
		}
	}
	stop(s.p)
	s.ending.Wait()
	synctest.Wait()
	s.check()
	want := pool.Stats{Limit: s.limit, Room: s.queue}
	var told []error // what the handler has to be
	back := 0        // of what was handed back
	for _, task := range s.tasks {
		if task.cancel != nil {
			task.cancel(nil)
		}
		if !task.accepted {
			continue
		}
		want.Submitted++
		switch {
		case task.runs == 0:
			want.Cancelled++
			switch {
			case back < len(s.left) && s.left[back] == task.id && !(task.dead != nil && task.handled):
				back++ // nobody may have noticed that it was cancelled
			case task.dead == nil:
				s.t.Errorf("task %d neither ran nor was handed back: %v", task.id, s.left)
			case !task.handled:
				told = append(told, task.dead)
			}
		case task.err == nil:
			want.Completed++
		default:
			want.Failed++
			if !task.handled {
				told = append(told, task.err)
			}
		}
	}
	if diff := cmp.Diff(want, s.p.Stats(), cmpopts.IgnoreFields(pool.Stats{}, "QueueWait", "RunTime")); diff != "" {
		s.t.Errorf("stats at the end (-want +got):\n%s", diff)
	}
	if back < len(s.left) {
		s.t.Errorf("Stop handed back %v, the first %d of which it should", s.left, back)
	}
	for _, err := range s.told {
		i := slices.IndexFunc(told, func(want error) bool { return errors.Is(err, want) })
		if i < 0 && errors.Is(err, errTooLate) { // again, nobody may have noticed
			i = slices.Index(told, errNotWanted)
		}
		if i < 0 {
			s.t.Errorf("the handler was told %v", err)
			continue
		}
		told = slices.Delete(told, i, i+1)
	}
	if len(told) > 0 {
		s.t.Errorf("nobody told the handler: %v", told)
	}
}
