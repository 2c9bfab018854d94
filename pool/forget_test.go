package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// orders lists the orders of pools of numbers; "plain" has none.
var orders = map[string]*pool.Order[int]{
	"plain":        nil,
	"key":          new(pool.ByKey(func(n int) int { return n })),
	"one key":      new(pool.ByKey(func(int) int { return 1 })),
	"priority":     new(pool.ByPriority(time.Second, func(int) int { return 0 })),
	"priorities":   new(pool.ByPriority(time.Second, func(n int) int { return n })),
	"key priority": new(pool.ByKey(func(n int) int { return n % 7 }).Priority(time.Second, func(n int) int { return n })),
}

// P12, C8: what is cancelled in the queue leaves nothing behind, however many tasks there have
// been, while the workers are busy; with keys and priorities, too.
func TestP12CancelledTasksDoNotPileUp(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector uses memory of its own")
	}
	const n = 10_000
	cancels := map[string]func(p *pool.Pool[int, int], i int){
		"Cancel": func(p *pool.Pool[int, int], i int) { must(p.Submit(context.Background(), i)).Cancel(nil) },
		"context": func(p *pool.Pool[int, int], i int) {
			ctx, cancel := context.WithCancel(context.Background())
			must(p.Submit(ctx, i))
			cancel()
		},
		"Go": func(p *pool.Pool[int, int], i int) {
			ctx, cancel := context.WithCancel(context.Background())
			must0(p.Go(ctx, i))
			cancel()
		},
		"Do": func(p *pool.Pool[int, int], i int) {
			ctx, cancel := context.WithCancel(context.Background())
			stop := context.AfterFunc(ctx, func() {})
			time.AfterFunc(0, cancel)
			_, _ = p.Do(ctx, i)
			stop()
		},
		"Group": func(p *pool.Pool[int, int], i int) {
			g := p.Group(context.Background())
			accept(g.Go(i))
			_ = g.Close()
		},
	}
	for shape, order := range orders {
		for how, cancel := range cancels {
			t.Run(shape+" "+how, func(t *testing.T) {
				gate := make(chan struct{})
				p := build(2, order, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(100), ignoreErrors())
				must0(p.Go(context.Background(), -1))
				must0(p.Go(context.Background(), -2))
				testkit.Watchdog(t, func() {
					rounds := n
					if how == "Do" {
						rounds /= 10
					}
					before := testkit.Heap()
					for i := range rounds {
						cancel(p, i)
					}
					if kept := testkit.Heap() - before; kept > 200<<10 { // some 100 places and futures
						t.Errorf("%d bytes are kept of %d cancelled tasks in a queue of 100", kept, rounds)
					}
					s := p.Stats()
					if checkSum(t, s); s.Queued > 101 { // with one key, one worker is idle
						t.Errorf("%v", s)
					}
				})
				close(gate)
				_ = p.Close()
			})
		}
	}
}

// P12: a task that is cancelled while it is queued keeps nothing that it refers to, and at most
// 64 bytes, though no place has been used again.
func TestP12CancelledTasksKeepNothing(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector uses memory of its own")
	}
	const n = 20_000
	type task struct {
		n int
		_ [1 << 10]byte
	}
	byKey := func(k *task) int { return k.n }
	for shape, order := range map[string]*pool.Order[*task]{
		"plain": nil,
		"key":   new(pool.ByKey(byKey)), "one key": new(pool.ByKey(func(*task) int { return 1 })),
		"priority": new(pool.ByPriority(time.Second, byKey)),
	} {
		for _, how := range []string{"Cancel", "context"} {
			t.Run(shape+" "+how, func(t *testing.T) {
				gate := make(chan struct{})
				p := build(1, order, func(context.Context, *task) (int, error) { <-gate; return 0, nil }, pool.WithQueue(n+1))
				must0(p.Go(context.Background(), &task{n: -1}))
				var last weak.Pointer[task]
				before := testkit.Heap()
				func() {
					ctx, cancel := context.WithCancel(context.Background())
					var fs []*pool.Future[int]
					for i := range n {
						b := &task{n: i}
						last = weak.Make(b)
						fs = append(fs, must(p.Submit(ctx, b)))
					}
					if how == "Cancel" {
						for _, f := range fs {
							f.Cancel(nil)
						}
					}
					cancel()
				}()
				must0(p.Go(context.Background(), &task{n: -2})) // the next operation on the queue
				for try := 0; try < 1000 && p.Stats().Cancelled < n; try++ {
					runtime.Gosched()
					<-time.After(time.Millisecond)
				}
				if s := p.Stats(); s.Cancelled != n || s.Queued != 1 {
					t.Errorf("%v", s)
				}
				runtime.GC()
				if kept := float64(testkit.Heap()-before) / n; kept > 64 || last.Value() != nil {
					t.Errorf("%.0f bytes are kept of each, and the last one %v", kept, last.Value() != nil)
				}
				close(gate)
				must0(p.Close())
			})
		}
	}
}

// P12: the end of a context is noticed at the next operation on the queue: the tasks leave it,
// their futures and the handler learn of it, and their room is free.
func TestP12EndOfAContextIsNoticed(t *testing.T) {
	for shape, order := range orders {
		for name, operate := range map[string]func(p *pool.Pool[int, int]){
			"Go":     func(p *pool.Pool[int, int]) { must0(p.Go(context.Background(), 1)) },
			"Submit": func(p *pool.Pool[int, int]) { must(p.Submit(context.Background(), 1)) },
			"Group":  func(p *pool.Pool[int, int]) { accept(p.Group(context.Background()).Go(1)) },
			"Go on a full queue": func(p *pool.Pool[int, int]) {
				must0(p.Go(context.Background(), 1))
			},
		} {
			t.Run(shape+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					const n = 64
					queue := 2 * n
					if name == "Go on a full queue" {
						queue = n
					}
					gate := make(chan struct{})
					told := 0
					p := build(1, order, func(context.Context, int) (int, error) { <-gate; return 0, nil },
						pool.WithQueue(queue), pool.WithErrorHandler(func(_ context.Context, err error) {
							if errors.Is(err, pool.ErrNotStarted) && errors.Is(err, errRoot) {
								told++
							}
						}))
					must0(p.Go(context.Background(), 0))
					synctest.Wait()
					ctx, cancel := context.WithCancelCause(context.Background())
					var done []<-chan struct{}
					for i := range n / 2 {
						must0(p.Go(ctx, i))
						done = append(done, must(p.Submit(ctx, i)).Done())
					}
					cancel(errRoot)
					operate(p)
					synctest.Wait()
					s := p.Stats()
					if checkSum(t, s); s.Cancelled != n || s.Queued != 1 || told != n/2 {
						t.Errorf("told of %d; %v", told, s)
					}
					for _, d := range done {
						select {
						case <-d:
						default:
							t.Fatal("a future does not know")
						}
					}
					close(gate)
					must0(p.Close())
				})
			})
		}
	}
}

// P12: a Try… on a full queue notices that contexts have ended, also if others have found it full
// before.
func TestP12TryGoAmongEndedTasks(t *testing.T) {
	for shape, order := range orders {
		for _, n := range []int{1, 10, 300} {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				p := build(1, order, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(n), ignoreErrors())
				must0(p.Go(context.Background(), 0))
				ctx, cancel := context.WithCancel(context.Background())
				for i := range n {
					must0(p.TryGo(ctx, i))
				}
				for range 3 {
					if err := p.TryGo(context.Background(), 1); err != pool.ErrQueueFull {
						t.Errorf("%s: %d tasks: %v", shape, n, err)
					}
				}
				cancel()
				if err := p.TryGo(context.Background(), 1); err != nil {
					t.Errorf("%s: %d tasks: %v, with %v", shape, n, err, p.Stats())
				}
				close(gate)
				must0(p.Close())
			})
		}
	}
}

// P12: among many tasks of a full queue, those whose context has ended are found before as many
// calls as an eighth of the queue have been refused.
func TestP12TryGoAmongSomeEndedTasks(t *testing.T) {
	for shape, order := range orders {
		synctest.Test(t, func(t *testing.T) {
			const n = 400
			gate := make(chan struct{})
			p := build(1, order, func(context.Context, int) (int, error) { <-gate; return 0, nil }, pool.WithQueue(n), ignoreErrors())
			must0(p.Go(context.Background(), 0))
			ctx, cancel := context.WithCancel(context.Background())
			other, end := context.WithCancel(context.Background())
			defer end()
			for i := range n {
				if i == n-1 {
					must0(p.TryGo(ctx, i))
				} else {
					must0(p.TryGo(other, i))
				}
			}
			cancel()
			refused := 0
			for p.TryGo(context.Background(), 1) != nil {
				refused++
			}
			if refused > n/8+1 {
				t.Errorf("%s: %d calls were refused", shape, refused)
			}
			close(gate)
			must0(p.Close())
		})
	}
}

// P3: k tasks start k workers at the most.
func TestP3KTasksStartKWorkers(t *testing.T) {
	for shape, order := range orders {
		for k := 1; k <= 6; k++ {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				ids := map[int]bool{}
				p := build(8, order, func(ctx context.Context, n int) (int, error) { <-gate; return 0, nil })
				for n := range k {
					must0(p.Go(t.Context(), n))
				}
				synctest.Wait()
				s := p.Stats()
				if s.Workers > k || shape != "one key" && s.Running != k {
					t.Errorf("%s: %d tasks: %v", shape, k, s)
				}
				close(gate)
				must0(p.Wait(t.Context()))
				synctest.Wait() // the workers are idle
				for range 20 {  // one after the other
					id := must(p.Do(t.Context(), 1))
					ids[id] = true
					synctest.Wait()
				}
				if s := p.Stats(); s.Workers > k {
					t.Errorf("%s: afterwards: %v", shape, s)
				}
				must0(p.Close())
			})
		}
	}
	synctest.Test(t, func(t *testing.T) { // the first task alone
		p := pool.New(8, double)
		must(p.Do(t.Context(), 1))
		synctest.Wait()
		if s := p.Stats(); s.Workers != 1 {
			t.Errorf("%v", s)
		}
		must0(p.Close())
	})
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// C8: nothing is allocated in proportion to a bound that is not reached.
func TestC8BoundsThatAreNotReached(t *testing.T) {
	for _, n := range []int{1_000_000, math.MaxInt32, math.MaxInt} {
		for name, run := range map[string]func(){
			"Do": func() {
				p := pool.New(n, double)
				must(p.Do(t.Context(), 1))
				must0(p.Close())
			},
			"MinWorkers": func() {
				p := pool.New(n, double, pool.WithMinWorkers(n), pool.WithQueue(n))
				for i := range 100 {
					must0(p.Go(t.Context(), i))
				}
				must0(p.Close())
			},
			"Map": func() {
				p := pool.New(n, double)
				for _, opts := range [][]pool.MapOption{nil, {pool.Unordered()}} {
					sum := 0
					for v, err := range p.Map(t.Context(), count(10), opts...) {
						must0(err)
						sum += v
					}
					if sum != 90 {
						t.Errorf("%d: the sum is %d", n, sum)
					}
				}
				must0(p.Close())
			},
			"Resize": func() {
				p := pool.New(1, double)
				p.Resize(n)
				for v, err := range p.Map(t.Context(), count(3)) {
					if err != nil {
						t.Error(v, err)
					}
				}
				must0(p.Close())
			},
			"WithLimit": func() {
				p := pool.New(2, double, pool.WithQueue(n))
				g := p.Group(t.Context(), pool.WithLimit(n))
				accept(g.Go(1))
				must(g.Wait(t.Context()))
				must0(p.Close())
			},
			"ordered": func() {
				p := pool.NewOrdered(n, pool.ByKey(func(n int) int { return n }), double, pool.WithQueue(n))
				must(p.Do(t.Context(), 1))
				must0(p.Close())
			},
		} {
			if got := allocated(run); got > 1<<20 {
				t.Errorf("%s with %d: %d KiB are allocated", name, n, got>>10)
			}
		}
	}
}

// C8: for large tasks and results, what a pool and a group keep is bounded in bytes.
func TestC8LargeTasksAndResults(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector uses memory of its own")
	}
	type large [1 << 20]byte
	p := pool.New(2, func(_ context.Context, v large) (large, error) { return v, nil }, pool.WithMinWorkers(2), pool.WithQueue(20))
	before := testkit.Heap()
	for range 3 {
		g := p.Group(t.Context())
		for range 10 {
			must0(p.Go(t.Context(), large{}))
			accept(g.Go(large{}))
		}
		if vs := must(g.Wait(t.Context())); len(vs) != 10 {
			t.Errorf("%d results", len(vs))
		}
	}
	must0(p.Wait(t.Context()))
	if kept := testkit.Heap() - before; kept > 3<<20 {
		t.Errorf("%d MiB are kept at rest", kept>>20)
	}
	before = testkit.Heap()
	g := p.Group(t.Context())
	accept(g.Go(large{}))
	must0(p.Wait(t.Context()))
	if kept := testkit.Heap() - before; kept > 4<<20 {
		t.Errorf("a group with one result of 1 MiB takes %d MiB", kept>>20)
	}
	must(g.Wait(t.Context()))
	must0(p.Close())
	runtime.KeepAlive(g)
}

// C8: a pool with keys or priorities keeps no memory for the tasks of a long queue that has been
// worked off, whether they were waited for or not.
func TestC8LongOrderedQueue(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector uses memory of its own")
	}
	const n = 40_000
	self := func(v int) int { return v }
	for name, order := range map[string]pool.Order[int]{
		"keys": pool.ByKey(self), "priorities": pool.ByPriority(time.Second, self), "both": pool.ByKey(self).Priority(time.Second, self),
	} {
		p := pool.NewOrdered(2, order, func(_ context.Context, v int) (int, error) { return v, nil }, pool.WithMinWorkers(2), pool.WithQueue(n))
		before := testkit.Heap()
		p.Resize(0)
		g := p.Group(t.Context())
		for i := range n / 2 {
			must0(p.Go(t.Context(), i))
			accept(g.Go(n - i))
		}
		p.Resize(2)
		must(g.Wait(t.Context()))
		must0(p.Wait(t.Context()))
		g = nil
		if kept := testkit.Heap() - before; kept > 512<<10 {
			t.Errorf("%s: %d KiB are kept at rest", name, kept>>10)
		}
		must0(p.Close())
	}
}

// P5: the cost of a wait inside a task does not depend on how deep it is: the context of the
// first caller is asked as often at each level.
func TestP5CostOfADeepWait(t *testing.T) {
	depth := 10_000
	if testing.Short() || testkit.Race {
		depth = 2000
	}
	for way, wait := range nestedWaits {
		if !slices.Contains([]string{"Do", "Submit and Wait", "Group", "Results"}, way) {
			continue
		}
		asked := func(depth int) (n float64) {
			ctx := &askedContext{Context: t.Context()}
			var p *pool.Pool[int, int]
			p = pool.New(1, func(ctx context.Context, n int) (int, error) {
				if n == 0 {
					return 0, nil
				}
				v, err := wait(ctx, p, n-1)
				return v + 1, err
			})
			testkit.Watchdog(t, func() {
				if v, err := p.Do(ctx, depth); v != depth || err != nil {
					t.Errorf("%s: %d, %v", way, v, err)
				}
				must0(p.Close())
			})
			return float64(ctx.n.Load()) / float64(depth)
		}
		few, many := asked(depth/10), asked(depth)
		if many > 2*few+1 {
			t.Errorf("%s: the context is asked %.1f times a level at a depth of %d, %.1f times at %d", way, few, depth/10, many, depth)
		}
	}
}

// An askedContext counts how often it is asked.
type askedContext struct {
	context.Context
	n atomic.Int64
}

func (c *askedContext) Value(key any) any { c.n.Add(1); return c.Context.Value(key) }

// P11, fault 2: a task passes its context to another pool and returns; its pool goes idle or is
// closed, its future is cancelled or dropped: all that was accepted is done.
func TestP11WorkPassedToTheNextPool(t *testing.T) {
	for _, how := range []string{"idle", "closed", "cancelled late", "ended worker"} {
		for _, way := range []string{"Go", "Submit", "Group"} {
			for _, cancellable := range []bool{false, true} {
				t.Run(fmt.Sprint(how, "/", way, "/", cancellable), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						const n = 20
						stored := testkit.NewLedger(n)
						store := pool.New(1, func(ctx context.Context, i int) (int, error) {
							time.Sleep(time.Second)
							if ctx.Err() == nil {
								stored.Note(i)
							}
							return 0, ctx.Err()
						})
						parse := pool.New(4, func(ctx context.Context, i int) (int, error) {
							switch way {
							case "Submit":
								_, err := store.Submit(ctx, i)
								return 0, err
							case "Group":
								accept(store.Group(ctx).Go(i))
								return 0, nil
							}
							return 0, store.Go(ctx, i)
						}, pool.WithIdleTimeout(time.Millisecond))
						ctx := context.Background()
						if cancellable {
							c, cancel := context.WithCancel(ctx)
							defer cancel()
							ctx = c
						}
						var fs []*pool.Future[int]
						for i := range n {
							fs = append(fs, must(parse.Submit(ctx, i)))
						}
						switch how {
						case "closed":
							must0(parse.Close())
						case "cancelled late":
							for _, f := range fs {
								must(f.Wait(ctx))
								f.Cancel(errTask)
							}
						case "ended worker":
							must0(parse.Wait(ctx))
							time.Sleep(time.Second)
						}
						fs = nil
						collect()
						must0(parse.Close())
						must0(store.Wait(context.Background()))
						must0(store.Close())
						stored.ExactlyOnce(t)
					})
				})
			}
		}
	}
}

// P11: the Cancel of a running task's future does not end what the task has submitted.
func TestP11CancelDoesNotReachWhatWasSubmitted(t *testing.T) {
	for _, same := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			var p, q *pool.Pool[int, int]
			run := func(ctx context.Context, n int) (int, error) {
				if n == 0 {
					must0(q.Go(ctx, 1))
					<-ctx.Done()
					return 0, context.Cause(ctx)
				}
				<-gate
				return 0, ctx.Err()
			}
			p = pool.New(2, run)
			q = pool.New(1, run)
			if same {
				must0(q.Close())
				q = p
			}
			f := must(p.Submit(t.Context(), 0))
			synctest.Wait()
			f.Cancel(errTask)
			if _, err := f.Wait(t.Context()); err != errTask {
				t.Errorf("the task: %v", err)
			}
			close(gate)
			must0(q.Close())
			must0(p.Close())
		})
	}
}

// P5, fault 4: the source of a walk may use the pool that runs the walk, inside a task with the
// task's context, and outside with any.
func TestP5SourceUsesThePool(t *testing.T) {
	for _, inside := range []bool{false, true} {
		for _, opts := range [][]pool.MapOption{nil, {pool.Unordered()}} {
			synctest.Test(t, func(t *testing.T) {
				var p *pool.Pool[int, int]
				walk := func(ctx, source context.Context) (sum int) {
					for v, err := range p.Map(ctx, func(yield func(int) bool) {
						for i := range 50 {
							if !yield(must(p.Do(source, i))) {
								return
							}
						}
					}, opts...) {
						must0(err)
						sum += v
					}
					return sum
				}
				p = pool.New(1, func(ctx context.Context, n int) (int, error) {
					if n == 1000 {
						return walk(ctx, ctx), nil
					}
					return n, nil
				})
				sum := 0
				if inside {
					sum = must(p.Do(t.Context(), 1000))
				} else {
					sum = walk(t.Context(), context.Background())
				}
				if sum != 49*50/2 {
					t.Errorf("inside %v: %d", inside, sum)
				}
				must0(p.Close())
			})
		}
	}
}

// P4: slow neighbours among many tasks do not wait for each other for longer than they may where no
// worker is idle while a task waits: the work divided among all workers, and the longest task
// (R. Graham, Bounds for Certain Multiprocessing Anomalies, 1966).
func TestP4SlowNeighboursDoNotWaitForEachOther(t *testing.T) {
	for _, c := range []struct{ size, n, slow, from int }{{1000, 8, 8, 500}, {1000, 8, 8, 0}, {64, 2, 2, 30}, {1000, 16, 16, 500}, {1000, 8, 2, 992}} {
		synctest.Test(t, func(t *testing.T) {
			p := pool.New(c.n, func(_ context.Context, ms int) (int, error) {
				time.Sleep(time.Duration(ms) * time.Millisecond)
				return 0, nil
			})
			g := p.Group(t.Context())
			start := time.Now()
			for i := range c.size {
				ms := 20
				if c.from <= i && i < c.from+c.slow {
					ms = 10_000
				}
				accept(g.Go(ms))
			}
			must(g.Wait(t.Context()))
			work := time.Duration(c.slow)*10*time.Second + time.Duration(c.size-c.slow)*20*time.Millisecond
			if took, most := time.Since(start), work/time.Duration(c.n)+10*time.Second; took > most {
				t.Errorf("%+v: took %v, want at most %v", c, took, most)
			}
			must0(p.Close())
		})
	}
}
