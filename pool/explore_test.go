//go:build points

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

var errCause = errors.New("cause")

// A trial is a pool in one run, and what became of its tasks, which are the
// numbers 0, 1, 2 ….
type trial struct {
	*pool.Pool[int, int]
	t        testing.TB
	workers  int           // at most, ever
	accepted atomic.Uint64 // calls that returned nil
	begun    *testkit.Ledger
	back     *testkit.Ledger // handed back by Stop
	busy     gauge
}

// A gauge counts the tasks that run. The explorer knows of it.
type gauge struct {
	now  sched.Uint64
	most uint64 // guarded by now: one goroutine goes on at a time
}

func (g *gauge) enter() { g.most = max(g.most, g.now.Add(1)) }
func (g *gauge) leave() { g.now.Add(^uint64(0)) }

// A handover is a value that one goroutine gives to another.
type handover[V any] struct {
	value V
	there chan struct{}
}

func newHandover[V any]() *handover[V] { return &handover[V]{there: make(chan struct{}, 1)} }

func (h *handover[V]) give(v V) {
	h.value = v
	sched.Signal(h.there)
}

// take waits for the value, and leaves it there for the next.
func (h *handover[V]) take() V {
	sched.Park(h.there)
	sched.Signal(h.there)
	return h.value
}

// ended waits for the end of a context, or for that of a future, by the channel.
func ended(done <-chan struct{}) { sched.ParkCtxOr(context.Background(), nil, done) }

// cancels returns a function that ends a context with errCause.
func cancels(cancel context.CancelCauseFunc) func() {
	return func() { sched.Cancel(func() { cancel(errCause) }) }
}

const (
	mostTasks = 20 + hurry
	hurry     = 17 // so many in a row, and not every one is timed
)

// try makes a pool whose tasks are run by fn, which may be nil, and looks at
// the laws at the end of the run.
func try(t testing.TB, r *explore.Run, workers int, fn pool.Func[int, int], opts ...pool.Option) *trial {
	return tryIn(t, r, workers, nil, fn, opts...)
}

// tryIn is try for a pool that is ordered unless order is nil.
func tryIn(t testing.TB, r *explore.Run, workers int, order *pool.Order[int], fn pool.Func[int, int], opts ...pool.Option) *trial {
	tr := newTrial(t, r, workers)
	tr.Pool = build(workers, order, tr.watch(fn), opts...)
	return tr
}

func newTrial(t testing.TB, r *explore.Run, workers int) *trial {
	tr := &trial{t: t, workers: workers, begun: testkit.NewLedger(mostTasks), back: testkit.NewLedger(mostTasks)}
	r.After(tr.end)
	return tr
}

// watch notes which tasks run.
func (tr *trial) watch(fn pool.Func[int, int]) pool.Func[int, int] {
	return func(ctx context.Context, n int) (int, error) {
		tr.begun.Note(n)
		if id, ok := pool.WorkerID(ctx); !ok || id >= tr.workers {
			tr.t.Errorf("task %d runs as worker %d of %d", n, id, tr.workers)
		}
		tr.busy.enter()
		defer tr.busy.leave()
		if fn == nil {
			return n, nil
		}
		return fn(ctx, n)
	}
}

// rested runs some tasks and lets the workers go to sleep.
func (tr *trial) rested(tasks ...int) *trial {
	for _, n := range tasks {
		tr.goes(n)
	}
	synctest.Wait()
	if s := tr.Stats(); s.Completed != uint64(len(tasks)) {
		tr.t.Errorf("not rested: %s", brief(s))
	}
	return tr
}

// hurried is rested after many tasks at once. Every other one of those that come is
// timed then, and ends its batch: the first, the third and so on.
func (tr *trial) hurried() *trial {
	var tasks []int
	for n := range hurry {
		tasks = append(tasks, mostTasks-1-n)
	}
	return tr.rested(tasks...)
}

// took counts what a call that submits has returned, and returns it.
func (tr *trial) took(err error) error {
	if err == nil {
		tr.accepted.Add(1)
	}
	return err
}

// goes submits a task that is not to be refused.
func (tr *trial) goes(n int) {
	if err := tr.took(tr.Go(context.Background(), n)); err != nil {
		tr.t.Errorf("task %d: %v", n, err)
	}
}

// joins submits a task to a group, and reports whether it was accepted.
func (tr *trial) joins(g *pool.Group[int, int], n int) bool {
	ok := g.Go(n)
	if ok {
		tr.accepted.Add(1)
	}
	return ok
}

// does submits a task and waits for its result.
func (tr *trial) does(n int) {
	f, err := tr.Submit(context.Background(), n)
	if tr.took(err) != nil {
		tr.t.Errorf("task %d: %v", n, err)
		return
	}
	v, err := f.Wait(context.Background())
	tr.is(v, err, n, nil)
}

// may submits a task that is to be accepted or refused for the given reason.
func (tr *trial) may(ctx context.Context, n int, why error) (ok bool) {
	err := tr.took(tr.Go(ctx, n))
	if err != nil && !errors.Is(err, why) {
		tr.t.Errorf("task %d: %v, want none or %v", n, err, why)
	}
	return err == nil
}

func (tr *trial) stop() {
	back, err := tr.Stop(context.Background())
	if err != nil {
		tr.t.Errorf("Stop: %v", err)
	}
	for _, n := range back {
		tr.back.Note(n)
	}
}

// is fails the test unless a result is the given one.
func (tr *trial) is(v int, err error, want int, wantErr error) {
	tr.t.Helper()
	if v != want || !errors.Is(err, wantErr) || err != nil && wantErr == nil {
		tr.t.Errorf("got %d, %v, want %d, %v", v, err, want, wantErr)
	}
}

// brief leaves the histograms out.
func brief(s pool.Stats) string {
	s.QueueWait, s.RunTime = pool.Histogram{}, pool.Histogram{}
	return strings.Split(fmt.Sprintf("%+v", s), " QueueWait")[0]
}

// end looks at the pool at rest, before anything wakes whom it has forgotten,
// then closes it and looks again.
func (tr *trial) end() {
	s := tr.Stats()
	if s.Queued+s.Running+s.Waiting+s.Blocked > 0 {
		tr.t.Errorf("nobody does anything, but %s", brief(s))
	}
	if err := tr.Close(); err != nil && !errors.Is(err, pool.ErrNotStarted) && !errors.Is(err, pool.ErrClosed) {
		tr.t.Errorf("Close: %v", err)
	}
	s = tr.Stats()
	checkSum(tr.t, s)
	if s.Workers+s.Queued+s.Running+s.Waiting+s.Blocked > 0 {
		tr.t.Errorf("closed, but %s", brief(s))
	}
	if s.Submitted != tr.accepted.Load() {
		tr.t.Errorf("%d accepted, but %s", tr.accepted.Load(), brief(s))
	}
	if n := tr.begun.Total(); n != int(s.Completed+s.Failed) {
		tr.t.Errorf("%d begun, but %s", n, brief(s))
	}
	tr.begun.AtMostOnce(tr.t)
	for n := range mostTasks {
		if tr.begun.Seen(n)+tr.back.Seen(n) > 1 {
			tr.t.Errorf("task %d begun %d times and handed back %d times", n, tr.begun.Seen(n), tr.back.Seen(n))
		}
	}
	if tr.busy.most > uint64(tr.workers) {
		tr.t.Errorf("%d tasks at once", tr.busy.most)
	}
}

// A worker that goes to sleep, and two submitters.
func TestExploreSubmitAndSleep(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, nil, pool.WithMinWorkers(1)).rested(0)
		r.Go("a", func() { tr.goes(1) })
		r.Go("b", func() { tr.goes(2) })
	})
}

// P4: two tasks that wait for each other to begin run on two workers, however they
// are submitted, and whoever sleeps.
func TestExploreBothAtOnce(t *testing.T) {
	for name, rested := range map[string]bool{"cold": false, "asleep": true} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				begun := [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
				tr := try(t, r, 2, func(_ context.Context, n int) (int, error) {
					sched.Signal(begun[n%2])
					sched.Park(begun[1-n%2])
					return n, nil
				}, pool.WithMinWorkers(2))
				if rested {
					tr.rested(0, 1)
				}
				r.Go("a", func() { tr.goes(2) })
				r.Go("b", func() { tr.does(3) })
			})
		})
	}
}

// Two submitters that wait for room behind a running task, one of which may leave:
// the other one gets its place.
func TestExploreRoom(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancelCause(context.Background())
		tr := try(t, r, 1, nil, pool.WithMinWorkers(1), pool.WithQueue(0))
		tr.goes(0)
		r.Go("stays", func() { tr.goes(1) })
		r.Go("leaves", func() { tr.may(ctx, 2, errCause) })
		r.Go("cancels", cancels(cancel))
	})
}

// One submitter that waits for room, and nobody else.
func TestExploreRoomForOne(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, nil, pool.WithMinWorkers(1), pool.WithQueue(0))
		r.Go("a", func() {
			for n := range 3 {
				tr.goes(n)
			}
		})
	})
}

// A submitter, and the end of the pool in all of its kinds: while there is room,
// while there is none, and when the last worker has retired.
func TestExploreEnd(t *testing.T) {
	for name, end := range ends {
		for kind, room := range map[string]int{"room": 8, "full": 0, "retired": 8} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				explore.Explore(t, func(t testing.TB, r *explore.Run) {
					root, cancel := context.WithCancelCause(context.Background())
					tr := try(t, r, 1, nil, pool.WithQueue(room), pool.WithContext(root), pool.WithIdleTimeout(time.Second))
					if kind == "retired" {
						tr.rested(2)
						time.Sleep(time.Minute)
					}
					r.Go("submits", func() {
						for n := range 2 {
							tr.may(context.Background(), n, pool.ErrClosed)
						}
					})
					r.Go("ends", func() { end(tr, cancel) })
				})
			})
		}
	}
}

var ends = map[string]func(tr *trial, cancel context.CancelCauseFunc){
	"Close": func(tr *trial, _ context.CancelCauseFunc) {
		tr.Close()
		if s := tr.Stats(); s.Workers+s.Queued+s.Running > 0 || s.Cancelled > 0 {
			tr.t.Errorf("Close has returned, but %s", brief(s))
		}
	},
	"Stop": func(tr *trial, _ context.CancelCauseFunc) {
		tr.stop()
		if s := tr.Stats(); s.Workers+s.Queued+s.Running > 0 || s.Cancelled != uint64(tr.back.Total()) {
			tr.t.Errorf("Stop has returned %d tasks, but %s", tr.back.Total(), brief(s))
		}
	},
	"Shutdown": func(tr *trial, _ context.CancelCauseFunc) {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errCause)
		if err := tr.Shutdown(ctx); err != nil && !errors.Is(err, errCause) {
			tr.t.Errorf("Shutdown: %v", err)
		}
		if s := tr.Stats(); s.Queued > 0 {
			tr.t.Errorf("Shutdown has returned, but %s", brief(s))
		}
	},
	"context": func(_ *trial, cancel context.CancelCauseFunc) { cancels(cancel)() },
}

// Stop, and what waits for tasks that it finds in the queue.
func TestExploreStopAndWait(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, nil)
		r.Go("waits", func() {
			for n := range 2 {
				f, err := tr.Submit(context.Background(), n)
				if tr.took(err) != nil {
					tr.is(n, err, n, pool.ErrClosed)
					continue
				}
				if v, err := f.Wait(context.Background()); err != nil {
					tr.is(v, err, 0, pool.ErrClosed)
				} else {
					tr.is(v, err, n, nil)
				}
			}
		})
		r.Go("stops", func() { tr.stop() })
	})
}

// What Stop hands back is in order, whichever worker had taken it.
func TestExploreStopInOrder(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		const tasks = 8
		tr := try(t, r, 2, func(ctx context.Context, n int) (int, error) {
			if n < tasks {
				ended(ctx.Done()) // so each worker keeps what it has taken
			}
			return n, nil
		}).hurried()
		for n := range tasks {
			tr.goes(n)
		}
		r.Go("stops", func() {
			back, _ := tr.Stop(over(pool.ErrClosed))
			for _, n := range back {
				tr.back.Note(n)
			}
			if !slices.IsSorted(back) {
				t.Errorf("handed back: %v", back)
			}
		})
	})
}

// Two that end the pool, and one task.
func TestExploreTwoEnds(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, nil)
		tr.goes(0)
		r.Go("closes", func() {
			tr.Close()
			if s := tr.Stats(); s.Workers+s.Queued+s.Running > 0 {
				t.Errorf("Close has returned, but %s", brief(s))
			}
		})
		r.Go("stops", func() { tr.stop() })
	})
}

// More workers, and fewer, while tasks are submitted.
func TestExploreResize(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 2, nil).rested(0)
		r.Go("submits", func() {
			tr.goes(1)
			tr.goes(2)
		})
		r.Go("resizes", func() {
			tr.Resize(1)
			tr.Resize(2)
		})
	})
}

// A worker whose idle time is up at the moment at which a task is submitted.
func TestExploreIdleTimeout(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		tr := try(t, r, 1, nil, pool.WithIdleTimeout(time.Second)).rested(0)
		for n, name := range []string{"a", "b"} {
			r.Go(name, func() {
				time.Sleep(time.Second)
				tr.goes(n + 1)
			})
		}
	})
}

// Workers that take tasks out of each other's batches: the first task of the first
// batch of two is slow.
func TestExploreStealing(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		const n = 8
		tr := try(t, r, 2, func(_ context.Context, n int) (int, error) {
			return n, nil
		}).hurried()
		for i := range n {
			tr.goes(i)
		}
		r.Go("looks", func() { checkSum(t, tr.Stats()) })
		r.After(func() { // before end
			if s := tr.Stats(); s.Completed != n+hurry {
				t.Errorf("%d tasks, but %s", n, brief(s))
			}
		})
	})
}
