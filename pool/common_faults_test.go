package pool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// Goexit costs no worker: after more of them than there are workers, as many
// tasks run at once as before, and every way to close returns.
func TestFaultFP5GoexitCostsNoWorker(t *testing.T) {
	for name, closePool := range map[string]func(*pool.Pool[int, int]){
		"Close":    func(p *pool.Pool[int, int]) { must0(p.Close()) },
		"Stop":     func(p *pool.Pool[int, int]) { stop(p) },
		"Shutdown": func(p *pool.Pool[int, int]) { must0(p.Shutdown(context.Background())) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const workers = 3
				gate := make(chan struct{})
				p := pool.New(workers, func(_ context.Context, exit int) (int, error) {
					if exit == 1 {
						runtime.Goexit()
					}
					<-gate
					return 0, nil
				})
				for range 5 * workers {
					if _, err := p.Do(t.Context(), 1); !errors.Is(err, pool.ErrGoexit) {
						t.Errorf("got %v", err)
					}
				}
				for range 2 * workers {
					must0(p.Go(t.Context(), 0))
				}
				synctest.Wait()
				if s := p.Stats(); s.Running != workers {
					t.Errorf("%d tasks run on %d workers", s.Running, workers)
				}
				close(gate)
				_, _ = p.Submit(t.Context(), 1)
				closePool(p)
			})
		})
	}
}

// ways are all ways to work with a context, each of one task.
var ways = map[string]func(context.Context, *pool.Pool[int, int]) error{
	"Go":    func(ctx context.Context, p *pool.Pool[int, int]) error { return p.Go(ctx, 1) },
	"TryGo": func(ctx context.Context, p *pool.Pool[int, int]) error { return p.TryGo(ctx, 1) },
	"Do":    func(ctx context.Context, p *pool.Pool[int, int]) error { _, err := p.Do(ctx, 1); return err },
	"Submit": func(ctx context.Context, p *pool.Pool[int, int]) error {
		f, err := p.Submit(ctx, 1)
		if err == nil {
			_, err = f.Wait(context.Background())
		}
		return err
	},
	"TrySubmit": func(ctx context.Context, p *pool.Pool[int, int]) error {
		f, err := p.TrySubmit(ctx, 1)
		if err == nil {
			_, err = f.Wait(context.Background())
		}
		return err
	},
	"Group": func(ctx context.Context, p *pool.Pool[int, int]) error {
		g := p.Group(ctx)
		_ = g.Go(1)
		_, err := g.Wait(context.WithoutCancel(ctx))
		return err
	},
	"Map": func(ctx context.Context, p *pool.Pool[int, int]) (last error) {
		for _, last = range p.Map(ctx, count(1)) {
		}
		return last
	},
}

// A nil context panics; one that has ended before is answered with its cause, and
// no task runs; one that ends after the call changes nothing. What ends during a
// call is C2's.
func TestFaultFC1Contexts(t *testing.T) {
	cause := errors.New("enough")
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ran := 0
				p := pool.New(1, func(context.Context, int) (int, error) { ran++; return 0, nil })
				var none context.Context
				if testkit.Panicked(func() { _ = way(none, p) }) == nil {
					t.Error("a nil context does not panic")
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(cause)
				if err := way(ctx, p); !errors.Is(err, cause) {
					t.Errorf("ended before: %v", err)
				}
				synctest.Wait()
				if s := p.Stats(); ran != 0 || s.Queued+s.Running+s.Blocked != 0 {
					t.Errorf("ended before: %d ran, %+v", ran, s)
				}
				ctx, cancel = context.WithCancelCause(t.Context())
				if err := way(ctx, p); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				cancel(cause)
				if _, err := p.Do(t.Context(), 1); err != nil {
					t.Errorf("after a context that ended later: %v", err)
				}
				must0(p.Close())
				if s := p.Stats(); ran != 2 || s.Completed != 2 {
					t.Errorf("%d ran, want 2: %+v", ran, s)
				}
			})
		})
	}
}

// Closing again, in every way and with a context that has ended, does nothing.
func TestFaultFC5CloseTwice(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	closers := map[string]func(*pool.Pool[int, int]) error{
		"Close":    func(p *pool.Pool[int, int]) error { return p.Close() },
		"Stop":     func(p *pool.Pool[int, int]) error { _, err := p.Stop(ended); return err },
		"Shutdown": func(p *pool.Pool[int, int]) error { return p.Shutdown(ended) },
	}
	for first, a := range closers {
		for second, b := range closers {
			synctest.Test(t, func(t *testing.T) {
				p := pool.New(2, double)
				f := must(p.Submit(t.Context(), 1))
				must(f.Wait(t.Context()))
				_ = a(p)
				for range 2 {
					if err := b(p); err != nil {
						t.Errorf("%s after %s: %v", second, first, err)
					}
				}
				must0(p.Close()) // Shutdown under an ended context does not wait for workers
				if s := p.Stats(); s.Submitted != 1 || s.Completed != 1 || s.Workers != 0 {
					t.Errorf("%s after %s: %+v", second, first, s)
				}
			})
		}
	}
}

// Every task once, while the number of processors changes.
func TestFaultFC8ProcessorsChange(t *testing.T) {
	const n = 20_000
	change := testkit.Procs(t)
	ran := testkit.NewLedger(n)
	p := pool.New(4, func(_ context.Context, id int) (int, error) { ran.Note(id); return id, nil }, pool.WithQueue(64))
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for s := range 4 {
			wg.Go(func() {
				for id := s; id < n; id += 4 {
					if s == 0 && id%1000 == 0 {
						change()
					}
					if id%10 == 0 {
						must(p.Do(t.Context(), id))
					} else {
						must0(p.Go(t.Context(), id))
					}
				}
			})
		}
		wg.Wait()
		must0(p.Close())
	})
	ran.ExactlyOnce(t)
}

func TestFaultFC9HeapReturns(t *testing.T) {
	var sum atomic.Int64
	p := pool.New(4, func(_ context.Context, n int) (int, error) { sum.Add(1); return n, nil })
	defer p.Close()
	total := int64(0)
	testkit.HeapReturns(t, func(items int) {
		total += int64(items)
		g := p.Group(t.Context())
		for i := range items / 10 {
			accept(g.Go(i))
			if i%1000 == 999 {
				must(g.Wait(context.Background()))
				g = p.Group(t.Context())
			}
		}
		must(g.Wait(context.Background()))
		for i := range items - items/10 {
			must0(p.Go(t.Context(), i))
		}
		must(p.Do(t.Context(), 0))
		total++
		for s := p.Stats(); s.Queued+s.Running > 0; s = p.Stats() {
			runtime.Gosched()
		}
	})
	if sum.Load() != total {
		t.Errorf("%d tasks ran, want %d", sum.Load(), total)
	}
}

// A bench is what pairs of methods work on.
type bench struct {
	p *pool.Pool[int, int]
	f *pool.Future[int]
	g *pool.Group[int, int]
}

// Every pair of methods may be called at once, those that close included.
func TestFaultFC10AllPairsAtOnce(t *testing.T) {
	ctx := t.Context()
	calls := map[string]func(*bench){
		"Future.Cancel": func(b *bench) { b.f.Cancel(errTask) },
		"Future.Done":   func(b *bench) { <-b.f.Done() },
		"Future.Wait":   func(b *bench) { _, _ = b.f.Wait(ctx) },
		"Group.Go":      func(b *bench) { _ = b.g.Go(1) },
		"Group.Wait":    func(b *bench) { _, _ = b.g.Wait(context.Background()) },
		"Group.Results": func(b *bench) {
			for range b.g.Results(context.Background()) {
			}
		},
		"Pool.Close":    func(b *bench) { must0(b.p.Close()) },
		"Pool.Shutdown": func(b *bench) { must0(b.p.Shutdown(ctx)) },
		"Pool.Stop":     func(b *bench) { _, _ = b.p.Stop(ctx) },
		"Pool.Wait":     func(b *bench) { must0(b.p.Wait(ctx)) },
		"Group.Close":   func(b *bench) { _ = b.g.Close() },
		"Pool.Resize":   func(b *bench) { b.p.Resize(3); b.p.Resize(0); b.p.Resize(1) },
		"Pool.Stats":    func(b *bench) { checkSum(t, b.p.Stats()) },
		"Pool.Group":    func(b *bench) { g := b.p.Group(ctx); _ = g.Go(1); _, _ = g.Wait(context.Background()) },
	}
	for name, way := range ways {
		if name != "Group" {
			calls["Pool."+name] = func(b *bench) {
				if err := way(ctx, b.p); err != nil && !errors.Is(err, pool.ErrClosed) && !errors.Is(err, pool.ErrQueueFull) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	testkit.Complete(t, testkit.Exported(t, "Pool", "Future", "Group"), calls)
	testkit.Pairs(t, calls, func() *bench {
		p := pool.New(2, double, pool.WithQueue(1))
		b := &bench{p, must(p.Submit(ctx, 1)), p.Group(ctx)}
		accept(b.g.Go(1))
		return b
	}, func(b *bench) {
		must0(b.p.Close())
		checkSum(t, b.p.Stats())
	})
}
