package inflight_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
)

// kinds are the ways to have a limit of 4 that stays.
var kinds = map[string]func(opts ...inflight.Option) *inflight.Limiter{
	"fixed": func(opts ...inflight.Option) *inflight.Limiter { return inflight.New(4, opts...) },
	"adaptive": func(opts ...inflight.Option) *inflight.Limiter {
		return inflight.NewAdaptive(4, 4, inflight.Vegas(), opts...)
	},
	"priority": func(opts ...inflight.Option) *inflight.Limiter {
		return inflight.New(4, append(opts, inflight.WithPriority(time.Second, func(context.Context) int { return 0 }))...)
	},
}

// each runs a test in a bubble for each of kinds.
func each(t *testing.T, test func(t *testing.T, l *inflight.Limiter)) {
	for name, make := range kinds {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, make()) }) })
	}
}

func must(t testing.TB, l *inflight.Limiter, weight int) inflight.Permit {
	t.Helper()
	p, err := l.Acquire(t.Context(), weight)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// I1: the workers of a pool and of a stage follow a limit that changes while they work, and all
// permits come back, those of calls that fail and panic as well.
func TestI1WorkersFollow(t *testing.T) {
	for name, run := range map[string]func(ctx context.Context, fn func(context.Context, int) (int, error)){
		"pool": func(ctx context.Context, fn func(context.Context, int) (int, error)) {
			p := pool.New(16, fn, pool.WithErrorHandler(func(context.Context, error) {}))
			for n := range 1000 {
				_ = p.Go(ctx, n) // it is open
			}
			_ = p.Close()
		},
		"pipeline": func(ctx context.Context, fn func(context.Context, int) (int, error)) {
			ignore := pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { return pipeline.Skip })
			_ = pipeline.Map(fn, pipeline.WithWorkers(16), ignore).ForEach(ctx, pipeline.Seq(func(yield func(int) bool) {
				for n := 0; n < 1000 && yield(n); n++ {
				}
			}), func(context.Context, int) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := inflight.New(4)
				var inside testkit.Gauge
				var wg sync.WaitGroup
				wg.Go(func() {
					run(t.Context(), inflight.Limited(l, func(_ context.Context, n int) (int, error) {
						inside.Enter()
						defer inside.Leave()
						time.Sleep(time.Second)
						switch n % 10 {
						case 3:
							panic("poison")
						case 5:
							return 0, errors.New("bounced")
						}
						return n, nil
					}, func(err error) inflight.Outcome {
						if err != nil {
							return inflight.Dropped
						}
						return inflight.Success
					}))
				})
				for _, limit := range []int{4, 1, 16, 2} {
					l.SetLimit(limit)
					time.Sleep(1500 * time.Millisecond) // those of the limit before are gone
					most := 0
					for range 20 {
						time.Sleep(490 * time.Millisecond)
						synctest.Wait()
						most = max(most, inside.Now())
					}
					if most != limit {
						t.Errorf("%d at once with a limit of %d", most, limit)
					}
				}
				l.SetLimit(16)
				wg.Wait()
				if st := l.Stats(); st.InFlight != 0 || st.Dropped != 100 {
					t.Error(st)
				}
			})
		})
	}
}

// wait lets a goroutine wait for weight, and returns where its permit or error comes.
func wait(ctx context.Context, l *inflight.Limiter, weight int) <-chan result {
	ch := make(chan result, 1)
	go func() {
		p, err := l.Acquire(ctx, weight)
		ch <- result{p, err}
	}()
	synctest.Wait()
	return ch
}

type result struct {
	inflight.Permit
	err error
}

// The weight that goroutines hold is never more than the limit, while it changes up and down
// between two numbers and callers give up.
func TestI1NeverMoreThanTheLimit(t *testing.T) {
	const most, goroutines, rounds = 8, 16, 2000
	for name, opts := range map[string][]inflight.Option{
		"in order":   nil,
		"priorities": {inflight.WithPriority(time.Millisecond, func(context.Context) int { return rand.IntN(3) })},
	} {
		t.Run(name, func(t *testing.T) {
			l := inflight.New(most, opts...)
			var held, granted atomic.Int64
			testkit.Watchdog(t, func() {
				var wg sync.WaitGroup
				for range goroutines {
					wg.Go(func() {
						for i := range rounds {
							ctx, cancel := context.WithCancel(t.Context())
							if i%4 == 0 {
								go cancel()
							}
							weight := 1 + rand.IntN(4)
							if p, err := l.Acquire(ctx, weight); err == nil {
								granted.Add(1)
								if n := held.Add(int64(weight)); n > most {
									t.Errorf("%d in flight", n)
								}
								if i%8 == 0 {
									l.SetLimit(most - i%3)
								}
								held.Add(int64(-weight))
								p.Release(inflight.Success)
							}
							cancel()
						}
					})
				}
				wg.Wait()
			})
			l.SetLimit(most)
			st := l.Stats()
			if st.InFlight != 0 || st.Waiting != 0 || granted.Load() < goroutines*rounds/2 {
				t.Errorf("%v, %d granted", st, granted.Load())
			}
			if p, ok := l.TryAcquire(most); !ok {
				t.Error("the limit is not free")
			} else {
				p.Release(inflight.Success)
			}
		})
	}
}

// After a lower limit nothing is granted until enough has been released; a higher one is
// granted at once.
func TestI1LimitChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.New(4)
		var ps []inflight.Permit
		for range 4 {
			ps = append(ps, must(t, l, 1))
		}
		l.SetLimit(2)
		if l.Limit() != 2 {
			t.Errorf("limit %d", l.Limit())
		}
		next := wait(t.Context(), l, 1)
		for i := range 3 {
			if len(next) != 0 {
				t.Fatalf("granted with %d in flight", 4-i)
			}
			ps[i].Release(inflight.Success)
			synctest.Wait()
		}
		if r := <-next; r.err != nil {
			t.Error(r.err)
		}
		if st := l.Stats(); st.InFlight != 2 {
			t.Error(st)
		}
		next = wait(t.Context(), l, 2)
		l.SetLimit(4)
		if r := <-next; r.err != nil {
			t.Error(r.err)
		}
	})
}

// With a limit of 0, callers wait for another one.
func TestI1LimitOfZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.New(0)
		if _, ok := l.TryAcquire(1); ok {
			t.Error("granted")
		}
		next := wait(t.Context(), l, 3)
		if len(next) != 0 {
			t.Fatal("did not wait")
		}
		l.SetLimit(3)
		if r := <-next; r.err != nil {
			t.Error(r.err)
		}
	})
}

// A limit of any size is a limit, and so is a weight.
func TestI1Extremes(t *testing.T) {
	for _, l := range []*inflight.Limiter{inflight.New(math.MaxInt), inflight.NewAdaptive(math.MaxInt-1, math.MaxInt, inflight.AIMD(0))} {
		most := l.Limit()
		if most < math.MaxInt/8 {
			t.Errorf("the limit is %d", most)
		}
		p := must(t, l, most)
		if _, ok := l.TryAcquire(1); ok || l.Stats().InFlight != most {
			t.Error(l.Stats())
		}
		if _, ok := l.TryAcquire(math.MaxInt); ok {
			t.Error("granted")
		}
		l.SetLimit(0)
		p.Release(inflight.Success)
		if st := l.Stats(); st.InFlight != 0 {
			t.Error(st)
		}
	}
}

// Weight that is released goes to the callers in front, as many as it suffices for.
func TestI2ReleaseGrants(t *testing.T) {
	each(t, func(t *testing.T, l *inflight.Limiter) {
		p := must(t, l, 4)
		var chs []<-chan result
		for _, weight := range []int{2, 1, 2, 1} {
			chs = append(chs, wait(t.Context(), l, weight))
		}
		p.Release(inflight.Success)
		synctest.Wait()
		if got := []int{len(chs[0]), len(chs[1]), len(chs[2]), len(chs[3])}; !slices.Equal(got, []int{1, 1, 0, 0}) {
			t.Errorf("granted: %v", got)
		}
		r := <-chs[1]
		r.Release(inflight.Success)
		synctest.Wait()
		if got := []int{len(chs[2]), len(chs[3])}; !slices.Equal(got, []int{1, 0}) {
			t.Errorf("then: %v", got)
		}
		for _, i := range []int{0, 2, 3} {
			r := <-chs[i]
			r.Release(inflight.Success)
		}
		if st := l.Stats(); st.InFlight != 0 || st.Waiting != 0 || st.Waits != 4 {
			t.Error(st)
		}
	})
}

// A heavy caller that gives up in front leaves its place to lighter ones at once.
func TestI2GivingUpGrants(t *testing.T) {
	each(t, func(t *testing.T, l *inflight.Limiter) {
		p := must(t, l, 2)
		ctx, cancel := context.WithCancelCause(t.Context())
		heavy, light := wait(ctx, l, 3), wait(t.Context(), l, 2)
		if len(light) != 0 {
			t.Fatal("overtaken")
		}
		cause := errors.New("enough")
		cancel(cause)
		if r := <-light; r.err != nil {
			t.Error(r.err)
		}
		if r := <-heavy; r.err != cause {
			t.Error(r.err)
		}
		p.Release(inflight.Success)
	})
}

// Callers are served in the order in which they came, and TryAcquire does not overtake them.
func TestI3FirstComeFirstServed(t *testing.T) {
	each(t, func(t *testing.T, l *inflight.Limiter) {
		p := must(t, l, 4)
		var order []int
		for i := range 5 {
			go func() {
				p, err := l.Acquire(t.Context(), 3)
				if err != nil {
					t.Error(err)
				}
				order = append(order, i) // no two are in flight at once
				p.Release(inflight.Success)
			}()
			synctest.Wait()
		}
		q := p
		l.SetLimit(l.Limit()) // changes nothing
		if _, ok := l.TryAcquire(1); ok {
			t.Error("overtaken")
		}
		q.Release(inflight.Success)
		synctest.Wait()
		if !slices.Equal(order, []int{0, 1, 2, 3, 4}) {
			t.Errorf("order %v", order)
		}
	})
}

// TryAcquire does not take what is too little for the one in front.
func TestI3TryAcquireDoesNotOvertake(t *testing.T) {
	each(t, func(t *testing.T, l *inflight.Limiter) {
		p := must(t, l, 2)
		next := wait(t.Context(), l, 3)
		if _, ok := l.TryAcquire(1); ok {
			t.Error("overtaken")
		}
		p.Release(inflight.Success)
		r := <-next
		if q, ok := l.TryAcquire(1); !ok {
			t.Error("nobody waits and 1 is free")
		} else {
			q.Release(inflight.Success)
		}
		r.Release(inflight.Success)
	})
}

type rankKey struct{}

// Callers of higher priority go first, those of the same in order, and a step of priority is
// worth no more than the ageing.
func TestI3PrioritiesAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.New(1, inflight.WithPriority(10*time.Second, func(ctx context.Context) int { return ctx.Value(rankKey{}).(int) }))
		p := must(t, l, 1)
		var order []int
		come := func(name, priority int) {
			go func() {
				p, err := l.Acquire(context.WithValue(t.Context(), rankKey{}, priority), 1)
				if err != nil {
					t.Error(err)
				}
				order = append(order, name)
				p.Release(inflight.Success)
			}()
			synctest.Wait()
		}
		come(1, 0)
		come(2, 1)
		come(3, 1)
		come(4, -1)
		time.Sleep(9 * time.Second)
		come(5, 1) // 9 s after 1, a step above it
		come(6, 0)
		time.Sleep(2 * time.Second)
		come(7, 1) // 11 s after 1
		come(8, 2) // 11 s after 2, a step above it
		p.Release(inflight.Success)
		synctest.Wait()
		if want := []int{2, 3, 8, 5, 1, 7, 6, 4}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})
}

// The one that comes with a higher priority and fits is granted at once, although another one
// waits for more.
func TestI2HigherPriorityFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.New(4, inflight.WithPriority(time.Minute, func(ctx context.Context) int { return ctx.Value(rankKey{}).(int) }))
		p, err := l.Acquire(context.WithValue(t.Context(), rankKey{}, 0), 2)
		if err != nil {
			t.Fatal(err)
		}
		low := wait(context.WithValue(t.Context(), rankKey{}, 0), l, 4)
		high := wait(context.WithValue(t.Context(), rankKey{}, 1), l, 2)
		if len(low) != 0 || len(high) != 1 {
			t.Errorf("granted: %d and %d", len(low), len(high))
		}
		p.Release(inflight.Success)
		r := <-high
		r.Release(inflight.Success)
		<-low
	})
}

// More than the limit can never be granted, nor anything once the limiter is closed.
func TestI4NeverGranted(t *testing.T) {
	each(t, func(t *testing.T, l *inflight.Limiter) {
		if _, err := l.Acquire(t.Context(), 5); !errors.Is(err, inflight.ErrExceedsLimit) {
			t.Error(err)
		}
		if _, ok := l.TryAcquire(5); ok {
			t.Error("granted")
		}
		if st := l.Stats(); st.InFlight != 0 || st.Waiting != 0 || st.Waits != 0 {
			t.Error(st)
		}
		_ = l.Close()
		if _, err := l.Acquire(t.Context(), 1); err != inflight.ErrClosed {
			t.Error(err)
		}
		if _, ok := l.TryAcquire(1); ok {
			t.Error("granted after Close")
		}
	})
}

// A caller that waits for more than a lower limit gets an error when it is in front, and is
// in nobody's way.
func TestI4LowerLimitRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.New(4)
		p := must(t, l, 3)
		heavy, light := wait(t.Context(), l, 4), wait(t.Context(), l, 1)
		l.SetLimit(3)
		if r := <-heavy; !errors.Is(r.err, inflight.ErrExceedsLimit) {
			t.Error(r.err)
		}
		p.Release(inflight.Success)
		if r := <-light; r.err != nil {
			t.Error(r.err)
		}
	})
}

// A caller of an adaptive limiter does not wait for more than the minimum, to which the limit
// may come down.
func TestI4MinimumOfAnAdaptiveLimiter(t *testing.T) {
	l := inflight.NewAdaptive(2, 10, inflight.Vegas())
	l.SetLimit(10)
	p := must(t, l, 8) // it is free
	if _, err := l.Acquire(t.Context(), 3); !errors.Is(err, inflight.ErrExceedsLimit) {
		t.Error(err)
	}
	p.Release(inflight.Ignored)
}

// A permit gives back its weight once.
func TestI5ReleasedOnce(t *testing.T) {
	each(t, func(t *testing.T, l *inflight.Limiter) {
		p, q := must(t, l, 2), must(t, l, 2)
		for range 3 {
			p.Release(inflight.Dropped)
			if st := l.Stats(); st.InFlight != 2 || st.Dropped != 1 {
				t.Error(st)
			}
		}
		q.Release(inflight.Ignored)
		var none inflight.Permit
		none.Release(inflight.Success)
		if st := l.Stats(); st.InFlight != 0 {
			t.Error(st)
		}
	})
}

// A copy of a permit that was released gives nothing back, and panics when nothing is in
// flight.
func TestI5CopiesPanic(t *testing.T) {
	each(t, func(t *testing.T, l *inflight.Limiter) {
		p := must(t, l, 2)
		q := p
		p.Release(inflight.Success)
		const want = "inflight: Permit.Release: a permit must be released once, got a copy of one that was"
		if got := testkit.Panicked(func() { q.Release(inflight.Success) }); got != want {
			t.Errorf("panicked with %v", got)
		}
		if st := l.Stats(); st.InFlight != 0 || st.Limit != 4 {
			t.Error(st)
		}
		p = must(t, l, 4)
		p.Release(inflight.Success)
	})
}

// Acquire and Release do not allocate, and neither does a wait once others have waited.
func TestI6NoAllocation(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector allocates")
	}
	for name, make := range kinds {
		l := make()
		ctx := t.Context()
		if n := testing.AllocsPerRun(1000, func() {
			p, err := l.Acquire(ctx, 1)
			q, ok := l.TryAcquire(2)
			_, denied := l.TryAcquire(2)
			if err != nil || !ok || denied {
				t.Fatal(err, ok, denied)
			}
			p.Release(inflight.Success)
			q.Release(inflight.Success)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		var held sync.WaitGroup
		var stop atomic.Bool
		held.Go(func() { // makes the other one wait, now and then
			for !stop.Load() {
				if p, err := l.Acquire(ctx, 4); err == nil {
					runtime.Gosched()
					p.Release(inflight.Success)
				}
			}
		})
		before := l.Stats().Waits
		n := testing.AllocsPerRun(20_000, func() {
			p, err := l.Acquire(ctx, 4)
			if err != nil {
				t.Fatal(err)
			}
			p.Release(inflight.Success)
		})
		stop.Store(true)
		held.Wait()
		if waits := l.Stats().Waits - before; n != 0 {
			t.Errorf("%s: %v allocations with %d waits", name, n, waits)
		}
	}
}

// A limiter has no goroutine and no timer, also while callers wait.
func TestC1NothingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.NewAdaptive(1, 10, inflight.Gradient())
		p := must(t, l, 1)
		before := runtime.NumGoroutine()
		next := wait(t.Context(), l, 1)
		if n := runtime.NumGoroutine(); n != before+1 {
			t.Errorf("%d goroutines, want %d", n, before+1)
		}
		p.Release(inflight.Success)
		r := <-next
		r.Release(inflight.Success)
	})
}

// An ended context takes nothing, whether it ends before, while the caller waits, or as it is
// granted.
func TestC2GrantMeetsCancel(t *testing.T) {
	cause := errors.New("enough")
	each(t, func(t *testing.T, l *inflight.Limiter) {
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if _, err := l.Acquire(ended, 1); err != cause {
			t.Error(err)
		}
		p := must(t, l, 4)
		ctx, cancel := context.WithCancelCause(t.Context())
		first, second := wait(ctx, l, 4), wait(t.Context(), l, 4)
		cancel(cause)
		p.Release(inflight.Success) // at the same moment
		if r := <-first; r.err != cause {
			t.Error(r.err)
		}
		r := <-second
		if r.err != nil {
			t.Error(r.err)
		}
		r.Release(inflight.Success)
		if st := l.Stats(); st.InFlight != 0 || st.Waiting != 0 {
			t.Error(st)
		}
	})
}

// The function of WithPriority may call every method.
func TestC3MethodsInsideThePriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l *inflight.Limiter
		l = inflight.New(1, inflight.WithPriority(time.Second, func(ctx context.Context) int {
			l.SetLimit(2)
			p, err := l.Acquire(ctx, 1)
			if err != nil {
				t.Error(err)
			}
			p.Release(inflight.Success)
			return l.Limit() + l.Stats().Waiting
		}))
		p := must(t, l, 1)
		q := must(t, l, 1)
		p.Release(inflight.Success)
		q.Release(inflight.Success)
	})
}

func TestC5MisusePanics(t *testing.T) {
	l := inflight.New(1)
	var none context.Context
	testkit.Panics(t, map[string]func(){
		"inflight: New: limit must not be negative, got -1":        func() { inflight.New(-1) },
		"inflight: NewAdaptive: minimum must be at least 1, got 0": func() { inflight.NewAdaptive(0, 1, inflight.Vegas()) },
		"inflight: NewAdaptive: maximum must be at least 3, got 2": func() { inflight.NewAdaptive(3, 2, inflight.Vegas()) },
		"inflight: NewAdaptive: the zero Algorithm is not usable, make one with AIMD, Gradient or Vegas": func() {
			inflight.NewAdaptive(1, 2, inflight.Algorithm{})
		},
		"inflight: AIMD: timeout must not be negative, got -1s":                                  func() { inflight.AIMD(-time.Second) },
		"inflight: WithPriority: ageing must be positive, got 0s":                                func() { inflight.WithPriority(0, func(context.Context) int { return 0 }) },
		"inflight: WithPriority: function must not be nil":                                       func() { inflight.WithPriority(time.Second, nil) },
		"inflight: Acquire: context must not be nil":                                             func() { _, _ = l.Acquire(none, 1) },
		"inflight: Acquire: the zero Limiter is not usable, make one with New or NewAdaptive":    func() { _, _ = new(inflight.Limiter).Acquire(t.Context(), 1) },
		"inflight: TryAcquire: the zero Limiter is not usable, make one with New or NewAdaptive": func() { new(inflight.Limiter).TryAcquire(1) },
		"inflight: SetLimit: the zero Limiter is not usable, make one with New or NewAdaptive":   func() { new(inflight.Limiter).SetLimit(1) },
		"inflight: Close: the zero Limiter is not usable, make one with New or NewAdaptive":      func() { _ = new(inflight.Limiter).Close() },
		"inflight: Acquire: weight must be at least 1, got 0":                                    func() { _, _ = l.Acquire(t.Context(), 0) },
		"inflight: TryAcquire: weight must be at least 1, got -1":                                func() { l.TryAcquire(-1) },
		"inflight: SetLimit: limit must not be negative, got -1":                                 func() { l.SetLimit(-1) },
	})
	inflight.New(1, nil) // a nil option is ignored
	if _, err := l.Acquire(t.Context(), math.MaxInt); !errors.Is(err, inflight.ErrExceedsLimit) {
		t.Error(err)
	}
}

// Close ends the calls that wait, from any goroutine and any number of times, and permits can
// be released after it.
func TestC6Close(t *testing.T) {
	each(t, func(t *testing.T, l *inflight.Limiter) {
		p := must(t, l, 4)
		a, b := wait(t.Context(), l, 1), wait(t.Context(), l, 4)
		for range 2 {
			go func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}()
		}
		if x, y := (<-a).err, (<-b).err; x != inflight.ErrClosed || y != inflight.ErrClosed {
			t.Error(x, y)
		}
		p.Release(inflight.Success)
		l.SetLimit(4)
		if st := l.Stats(); !st.Closed || st.InFlight != 0 || st.Waiting != 0 {
			t.Error(st)
		}
		if _, ok := l.TryAcquire(1); ok {
			t.Error("granted after Close")
		}
	})
}

// Time moves while callers wait.
func TestC7TimeMoves(t *testing.T) {
	each(t, func(t *testing.T, l *inflight.Limiter) {
		p := must(t, l, 4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if _, err := l.Acquire(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Error(err, time.Since(start))
		}
		p.Release(inflight.Success)
	})
}

// After a crowd, a limiter keeps no more than one waiter, and none of the contexts.
func TestC8IdleLimiterKeepsNothing(t *testing.T) {
	crowd := 10_000
	if testing.Short() {
		crowd = 2000
	}
	l := inflight.New(1)
	come := func() {
		p := must(t, l, 1)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range crowd {
			wg.Go(func() {
				of := ctx
				if i%2 == 0 {
					of = t.Context()
				}
				p, err := l.Acquire(context.WithValue(of, rankKey{}, make([]byte, 1024)), 1)
				if err == nil {
					p.Release(inflight.Success)
				}
			})
		}
		for l.Stats().Waiting < crowd {
			runtime.Gosched()
		}
		cancel()
		p.Release(inflight.Success)
		wg.Wait()
	}
	come() // the run time keeps what it had for that many goroutines
	before := testkit.Heap()
	l = inflight.New(1)
	come()
	if n := testkit.Heap() - before; n > 256<<10 && !testkit.Race {
		t.Errorf("%d bytes are left", n)
	}
	runtime.KeepAlive(l)
}

func TestC12StatsAndOutcomes(t *testing.T) {
	l := inflight.New(3)
	p := must(t, l, 2)
	if got, want := l.Stats().String(), "2 of 3 in flight, 0 waiting, 0 waits, 0 dropped, latency 0s of 0s"; got != want {
		t.Errorf("%s", got)
	}
	p.Release(inflight.Dropped)
	_ = l.Close()
	text, err := json.Marshal(l.Stats())
	want := `{"Limit":3,"InFlight":0,"Waiting":0,"Waits":0,"Dropped":1,"Latency":0,"Unloaded":0,"Closed":true}`
	if diff := cmp.Diff(want, string(text)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if got, want := l.Stats().String(), "0 of 3 in flight, 0 waiting, 0 waits, 1 dropped, latency 0s of 0s, closed"; got != want {
		t.Errorf("%s", got)
	}
	for o, want := range map[inflight.Outcome]string{inflight.Success: "Success", inflight.Dropped: "Dropped", inflight.Ignored: "Ignored", 9: "Outcome(?)"} {
		if o.String() != want {
			t.Errorf("%d: %v", o, o)
		}
	}
}

func TestOutcomesInJSON(t *testing.T) {
	text, err := json.Marshal([]any{inflight.Success, inflight.Dropped, inflight.Ignored, inflight.Outcome(9)})
	if want := `["Success","Dropped","Ignored","Outcome(?)"]`; string(text) != want || err != nil {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}
