package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// C10: groups and walks name the task by its index, once; all else reports its error as it is.
func TestC10ErrorsNameTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(3, func(_ context.Context, n int) (int, error) {
			if n == 3 {
				return 0, errTask
			}
			return n, nil
		})
		if _, err := p.Do(t.Context(), 3); err != errTask {
			t.Errorf("Do: %v", err)
		}
		if _, err := must(p.Submit(t.Context(), 3)).Wait(t.Context()); err != errTask {
			t.Errorf("Submit: %v", err)
		}
		for _, opt := range []pool.GroupOption{pool.FailFast(), pool.CollectAll(), nil} {
			g := p.Group(t.Context(), opt)
			for n := range 4 {
				accept(g.Go(n))
			}
			_, err := g.Wait(t.Context())
			if byTask(t, 3, err) != errTask || err.Error() != "task 3: task failed" {
				t.Errorf("Wait: %q", err)
			}
		}
		g := p.Group(t.Context(), pool.CollectAll())
		for n := range 5 {
			accept(g.Go(n))
		}
		for r, err := range g.Results(t.Context()) {
			switch {
			case r.Index != r.Task || err == nil && r.Value != r.Task:
				t.Errorf("%+v", r)
			case r.Index == 3 && byTask(t, 3, err) != errTask || r.Index != 3 && err != nil:
				t.Errorf("task %d: %v", r.Index, err)
			}
		}
		for _, opts := range [][]pool.MapOption{nil, {pool.Unordered()}, {nil}} {
			failed := 0
			for _, err := range p.Map(t.Context(), count(6), opts...) {
				if err != nil {
					failed++
					if byTask(t, 3, err) != errTask || strings.Count(err.Error(), "task 3: ") != 1 {
						t.Errorf("Map: %q", err)
					}
				}
			}
			if failed != 1 {
				t.Errorf("Map: %d failed", failed)
			}
		}
		must0(p.Close())
	})
}

// C10: an error of the walk itself is that of no task.
func TestC10ErrorOfAWalkIsNoTasks(t *testing.T) {
	cause := errors.New("enough")
	p := pool.New(1, double)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var last error
	for _, last = range p.Map(ctx, count(5)) {
		cancel(cause)
	}
	if last != cause {
		t.Errorf("got %v", last)
	}
	must0(p.Close())
	for _, last = range p.Map(t.Context(), count(5)) {
	}
	if last != pool.ErrClosed {
		t.Errorf("got %v", last)
	}
}

// C1, C6: Close of a group ends the contexts of its running tasks, drops the queued ones, and
// joins. It is idempotent, and returns what Wait would without what follows from it.
func TestC1CloseOfAGroupJoins(t *testing.T) {
	for shape, build := range shapes {
		for _, opt := range []pool.GroupOption{pool.FailFast(), pool.CollectAll()} {
			if shape == "no queue" {
				continue
			}
			t.Run(shape, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var running testkit.Gauge
					p := build(2, func(ctx context.Context, n int) (int, error) {
						running.Enter()
						defer running.Leave()
						<-ctx.Done()
						time.Sleep(time.Second) // slow to leave
						if n%2 == 0 {
							return 0, ctx.Err()
						}
						return 0, context.Cause(ctx)
					})
					g := p.Group(t.Context(), opt)
					for n := range 10 {
						accept(g.Go(n))
					}
					synctest.Wait()
					var wg sync.WaitGroup
					for range 4 {
						wg.Go(func() {
							if err := g.Close(); err != nil || running.Now() != 0 {
								t.Errorf("Close: %v with %d running", err, running.Now())
							}
						})
					}
					wg.Wait()
					if g.Go(1) {
						t.Error("a closed group has accepted a task")
					}
					if vs, err := g.Wait(t.Context()); len(vs) != 10 || !errors.Is(err, context.Canceled) {
						t.Errorf("Wait: %d results, %v", len(vs), err)
					}
					if s := p.Stats(); s.Queued+s.Running != 0 || s.Cancelled == 0 || running.Most() != 2 {
						t.Errorf("%v", s)
					}
					must0(p.Close())
				})
			})
		}
	}
}

// P7: Close of a group returns the errors of tasks that had failed before, and none that
// follows from it.
func TestP7CloseOfAGroupReturnsEarlierErrors(t *testing.T) {
	for _, all := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			opt := pool.FailFast()
			if all {
				opt = pool.CollectAll()
			}
			p := pool.New(3, func(ctx context.Context, n int) (int, error) {
				if n == 1 {
					return 0, errTask
				}
				<-ctx.Done()
				return 0, ctx.Err()
			})
			g := p.Group(t.Context(), opt)
			for n := range 6 {
				_ = g.Go(n)
				synctest.Wait()
			}
			err := g.Close()
			if byTask(t, 1, err) != errTask || errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "\n") {
				t.Errorf("all %v: %v", all, err)
			}
			must0(p.Close())
		})
	}
}

// C6: Close does nothing to a group that has been waited for, or walked to the end.
func TestC6CloseOfAGroupThatIsOver(t *testing.T) {
	for _, how := range []string{"Wait", "Results", "break", "nothing"} {
		var ctx context.Context
		p := pool.New(1, func(c context.Context, n int) (int, error) { ctx = c; return n, nil })
		g := p.Group(t.Context())
		if how != "nothing" {
			accept(g.Go(7))
		}
		switch how {
		case "Wait":
			must(g.Wait(t.Context()))
		case "Results":
			for _, err := range g.Results(t.Context()) {
				must0(err)
			}
		case "break":
			for _, err := range g.Results(t.Context()) {
				must0(err)
				break
			}
		}
		for range 2 {
			if err := g.Close(); err != nil {
				t.Errorf("%s: %v", how, err)
			}
		}
		vs, err := g.Wait(t.Context())
		if how == "Wait" || how == "Results" {
			if !slices.Equal(vs, []int{7}) || err != nil || ctx.Err() != nil {
				t.Errorf("%s: %v, %v, %v", how, vs, err, ctx.Err())
			}
		}
		if g.Go(1) {
			t.Errorf("%s: accepted", how)
		}
		must0(p.Close())
	}
}

// C1: a walk over Results that is left in any way closes its group.
func TestC1LeavingResultsClosesTheGroup(t *testing.T) {
	for how, leave := range map[string]func(){"panic": func() { panic(errTask) }, "Goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			p := pool.New(2, func(ctx context.Context, n int) (int, error) {
				if n > 0 {
					<-ctx.Done()
				}
				return n, nil
			})
			g := p.Group(t.Context())
			for n := range 5 {
				accept(g.Go(n))
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				for range g.Results(t.Context()) {
					leave()
				}
			}()
			<-done
			if s := p.Stats(); s.Queued != 0 || g.Go(9) {
				t.Errorf("%s: %v", how, s)
			}
			must0(p.Close())
		})
	}
}

// C4: each result is yielded once, however many walks there are at once, in the order in which
// tasks end.
func TestP7EachResultIsYieldedOnce(t *testing.T) {
	const tasks, walks = 300, 3
	p := pool.New(4, double)
	g := p.Group(t.Context(), pool.CollectAll())
	seen := testkit.NewLedger(tasks)
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for n := range tasks {
			accept(g.Go(n))
		}
		for range walks {
			wg.Go(func() {
				for r, err := range g.Results(t.Context()) {
					if seen.Note(r.Index); err != nil || r.Value != 2*r.Task || r.Task != r.Index {
						t.Errorf("%+v, %v", r, err)
					}
				}
			})
		}
		wg.Wait()
	})
	seen.ExactlyOnce(t)
	must0(p.Close())
}

// P7: Results yields tasks in the order in which they end, and those that tasks add.
func TestP7ResultsInTheOrderOfCompletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g *pool.Group[int, int]
		p := pool.New(8, func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(10-n) * time.Second)
			if n == 2 {
				accept(g.Go(9))
			}
			return n, nil
		})
		g = p.Group(t.Context())
		for n := range 5 {
			accept(g.Go(n))
		}
		var order []int
		for r, err := range g.Results(t.Context()) {
			must0(err)
			order = append(order, r.Task)
		}
		// 9 starts after 8 s and ends after 9, as 1 does.
		if !slices.Equal(order[:3], []int{4, 3, 2}) || len(order) != 6 || order[5] != 0 {
			t.Errorf("got %v", order)
		}
		must0(p.Close())
	})
}

// P3: of a group with a limit at most that many tasks run at once; Go blocks meanwhile. Other
// tasks of the pool are not held up.
func TestP3LimitOfAGroup(t *testing.T) {
	for _, limit := range []int{1, 3} {
		for shape, build := range shapes {
			t.Run(fmt.Sprint(shape, " ", limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var running testkit.Gauge
					p := build(5, func(context.Context, int) (int, error) {
						running.Enter()
						defer running.Leave()
						time.Sleep(time.Second)
						return 1, nil
					})
					g := p.Group(t.Context(), pool.WithLimit(limit))
					start := time.Now()
					for n := range 9 {
						accept(g.Go(n))
						if shape == "plain" {
							if took, want := time.Since(start), time.Duration(n/limit)*time.Second; took != want {
								t.Errorf("task %d was accepted after %v, want %v", n, took, want)
							}
						}
					}
					if vs := must(g.Wait(t.Context())); len(vs) != 9 || running.Most() > limit || running.Most() == 0 {
						t.Errorf("%d results, %d ran at once", len(vs), running.Most())
					}
					g = p.Group(t.Context(), pool.WithLimit(limit))
					accept(g.Go(1))
					must(p.Do(t.Context(), 100))
					must(g.Wait(t.Context()))
					must0(p.Close())
				})
			})
		}
	}
}

// C2, P7: Go that waits for the limit returns false when the group fails, is closed, or its
// context or the pool's ends.
func TestC2GoUnderALimitWakes(t *testing.T) {
	for _, why := range []string{"fails", "context", "Close", "pool's context", "Stop"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			root, endRoot := context.WithCancelCause(t.Context())
			fail := make(chan struct{})
			p := pool.New(2, func(ctx context.Context, _ int) (int, error) {
				select {
				case <-fail:
					return 0, errTask
				case <-ctx.Done():
					return 0, context.Cause(ctx)
				}
			}, pool.WithContext(root))
			g := p.Group(ctx, pool.WithLimit(1))
			accept(g.Go(0))
			got := make(chan bool, 1)
			go func() { got <- g.Go(1) }()
			synctest.Wait()
			if len(got) != 0 {
				t.Errorf("%s: Go does not wait", why)
			}
			switch why {
			case "fails":
				close(fail)
			case "context":
				cancel(errTask)
			case "Close":
				go g.Close()
			case "pool's context":
				endRoot(errTask)
			case "Stop":
				_, _ = p.Stop(over(errTask))
			}
			if <-got {
				t.Errorf("%s: accepted", why)
			}
			_, err := g.Wait(t.Context())
			if why == "Close" && !errors.Is(err, context.Canceled) || why != "Close" && !errors.Is(err, errTask) {
				t.Errorf("%s: %v", why, err)
			}
			_ = p.Close()
			checkSum(t, p.Stats())
			cancel(nil)
			endRoot(nil)
		})
	}
}

// P7, P1: a group does not count a task that was not accepted, in whatever way Go was refused,
// and the figures of the pool agree.
func TestP7RefusedTasksAreNoneOfTheGroup(t *testing.T) {
	for _, why := range []string{"context", "fails", "Close", "pool closes", "pool's context"} {
		for _, opt := range []pool.GroupOption{pool.FailFast(), pool.CollectAll()} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				root, endRoot := context.WithCancelCause(t.Context())
				gate := make(chan struct{})
				p := pool.New(1, func(_ context.Context, n int) (int, error) { <-gate; return 0, errTask },
					pool.WithQueue(1), pool.WithContext(root))
				g := p.Group(ctx, opt)
				accept(g.Go(0))
				accept(g.Go(1))
				got := make(chan bool, 1)
				go func() { got <- g.Go(2) }() // waits for room
				synctest.Wait()
				switch why {
				case "context":
					cancel(errRoot)
				case "fails":
				case "Close":
					go g.Close()
				case "pool closes":
					go p.Close()
				case "pool's context":
					endRoot(errRoot)
				}
				synctest.Wait()
				s := p.Stats()
				checkSum(t, s)
				close(gate)
				accepted := 2
				if <-got {
					accepted = 3
				}
				if strings.HasPrefix(why, "pool") && accepted != 2 {
					t.Errorf("%s: accepted, with %v", why, s)
				}
				vs, err := g.Wait(t.Context())
				if len(vs) != accepted || err == nil {
					t.Errorf("%s: %d results of %d tasks, %v", why, len(vs), accepted, err)
				}
				_ = p.Close()
				s = p.Stats()
				if checkSum(t, s); s.Submitted != uint64(accepted) || s.Queued != 0 {
					t.Errorf("%s: %d accepted: %v", why, accepted, s)
				}
				cancel(nil)
				endRoot(nil)
			})
		}
	}
}

// P7, C2: whoever waits for a group does not wait for a task that is refused meanwhile.
func TestP7WaitMeetsARefusedTask(t *testing.T) {
	for _, why := range []string{"context", "fails", "Close", "pool closes", "pool's context"} {
		for _, how := range []string{"Wait", "Results"} {
			for _, refused := range []int{1, 3} {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(t.Context())
					root, endRoot := context.WithCancelCause(t.Context())
					gate := make(chan struct{})
					p := pool.New(1, func(_ context.Context, n int) (int, error) { <-gate; return 0, errTask },
						pool.WithQueue(1), pool.WithContext(root))
					g := p.Group(ctx)
					accept(g.Go(0))
					accept(g.Go(1))
					for n := range refused {
						go g.Go(2 + n) // waits for room
					}
					synctest.Wait()
					waited := make(chan int, 1)
					go func() {
						if how == "Wait" {
							vs, _ := g.Wait(context.Background())
							waited <- len(vs)
							return
						}
						n := 0
						for range g.Results(context.Background()) {
							n++
						}
						waited <- n
					}()
					synctest.Wait()
					switch why {
					case "context":
						cancel(errRoot)
					case "Close":
						go g.Close()
					case "pool closes":
						go p.Close()
					case "pool's context":
						endRoot(errRoot)
					}
					synctest.Wait()
					close(gate)
					synctest.Wait()
					select {
					case n := <-waited:
						if n < 2 || n > 2+refused {
							t.Errorf("%s, %s: %d results", why, how, n)
						}
					default:
						t.Fatalf("%s, %s, %d refused: it waits for ever: %v", why, how, refused, p.Stats())
					}
					_ = p.Close()
					checkSum(t, p.Stats())
					cancel(nil)
					endRoot(nil)
				})
			}
		}
	}
}

// C5: nil options are ignored.
func TestC5NilOptionsAreIgnored(t *testing.T) {
	p := pool.New(1, double, nil, pool.WithQueue(1), nil)
	g := p.Group(t.Context(), nil, pool.CollectAll(), nil)
	accept(g.Go(1))
	must(g.Wait(t.Context()))
	for _, err := range p.Map(t.Context(), count(1), nil) {
		must0(err)
	}
	must0(p.Close())
	must0(pool.NewOrdered(1, pool.ByPriority(1, func(int) int { return 0 }), double, nil).Close())
	q := pool.NewStateful(1, func(context.Context) (int, error) { return 40, nil },
		func(_ context.Context, s, n int) (int, error) { return s + n, nil }, nil, nil) // closeState may be nil
	if v := must(q.Do(t.Context(), 2)); v != 42 {
		t.Errorf("got %d", v)
	}
	must0(q.Close())
}

// A hollow is an error of which a function returns a nil pointer.
type hollow struct{ error }

func (e *hollow) Unwrap() error { return e.error }

// C4: a task may return a nil pointer for an error, with methods that panic.
func TestC4HollowErrorOfATask(t *testing.T) {
	p := pool.New(1, func(context.Context, int) (int, error) {
		var e *hollow
		return 0, e
	})
	defer p.Close()
	for _, opts := range [][]pool.GroupOption{nil, {pool.CollectAll()}} {
		g := p.Group(t.Context(), opts...)
		g.Go(1)
		g.Go(2)
		_, err := g.Wait(t.Context())
		if _, ok := errors.AsType[*pool.PanicError](err); !ok {
			t.Errorf("%v", err)
		}
	}
}
