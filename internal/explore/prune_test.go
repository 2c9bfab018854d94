//go:build points

package explore_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
)

// programs are small enough for all their orders to be run.
var programs = map[string]explore.Program{
	"reads commute": func(_ testing.TB, r *explore.Run) {
		var x sched.Uint64
		for _, name := range []string{"a", "b", "c"} {
			r.Go(name, func() { x.Load(); x.Load() })
		}
	},
	"objects of their own": func(_ testing.TB, r *explore.Run) {
		for _, name := range []string{"a", "b", "c"} {
			r.Go(name, func() {
				var x sched.Uint64
				x.Store(1)
			})
		}
	},
	"a reader and two writers": func(_ testing.TB, r *explore.Run) {
		var x, y sched.Uint64
		r.Go("reads", func() { x.Load(); y.Load() })
		r.Go("writes", func() { x.Store(1); y.Store(1) })
		r.Go("swaps", func() { y.Swap(2) })
	},
	"a decision": func(_ testing.TB, r *explore.Run) {
		var x, y, z sched.Uint64
		r.Go("a", func() {
			if x.Load() == 1 {
				y.Store(1)
			} else {
				z.Store(1)
			}
		})
		r.Go("b", func() { x.Store(1); z.Load() })
		r.Go("c", func() { y.Load() })
	},
	"indirect": func(_ testing.TB, r *explore.Run) {
		var p sched.Pointer[sched.Uint64]
		var x, y sched.Uint64
		p.Store(&x)
		r.Go("a", func() { p.Load().Add(1) })
		r.Go("b", func() { p.Store(&y); x.Load() })
		r.Go("c", func() { y.Load() })
	},
	"locks": func(_ testing.TB, r *explore.Run) {
		var mu sched.Mutex
		var x sched.Uint64
		for _, name := range []string{"a", "b", "c"} {
			r.Go(name, func() {
				mu.Lock()
				x.Add(1)
				mu.Unlock()
			})
		}
	},
	"two locks": func(_ testing.TB, r *explore.Run) {
		var one, two sched.Mutex
		var x sched.Uint64
		r.Go("a", func() {
			one.Lock()
			two.Lock()
			x.Load()
			two.Unlock()
			one.Unlock()
		})
		r.Go("b", func() {
			two.Lock()
			x.Load()
			two.Unlock()
			one.Lock()
			x.Load()
			one.Unlock()
		})
	},
	"readers and a writer": func(_ testing.TB, r *explore.Run) {
		var mu sched.RWMutex
		var x sched.Uint64
		r.Go("a", func() { mu.RLock(); x.Load(); mu.RUnlock() })
		r.Go("b", func() { mu.RLock(); x.Load(); mu.RUnlock() })
		r.Go("c", func() { mu.Lock(); x.Store(1); mu.Unlock() })
	},
	"an attempt": func(_ testing.TB, r *explore.Run) {
		var mu sched.Mutex
		var x sched.Uint64
		r.Go("a", func() { mu.Lock(); x.Store(1); mu.Unlock() })
		r.Go("b", func() {
			if mu.TryLock() {
				x.Load()
				mu.Unlock()
			}
		})
	},
	"a signal": func(_ testing.TB, r *explore.Run) {
		var ready sched.Bool
		wake := make(chan struct{}, 1)
		r.Go("sleeper", func() {
			for !ready.Load() {
				sched.Park(wake)
			}
		})
		r.Go("waker", func() { ready.Store(true); sched.Signal(wake) })
		r.Go("another", func() { sched.Signal(wake) })
	},
	"one signal for two": func(_ testing.TB, r *explore.Run) {
		wake := make(chan struct{}, 1)
		for _, name := range []string{"a", "b"} {
			r.Go(name, func() { sched.Park(wake); sched.Signal(wake) })
		}
		r.Go("waker", func() { sched.Signal(wake) })
	},
	"a context or a signal": func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancel(t.Context())
		wake := make(chan struct{}, 1)
		var x sched.Uint64
		r.Go("parks", func() {
			sched.ParkCtx(ctx, wake)
			if sched.Err(ctx) != nil {
				x.Store(1)
			}
		})
		r.Go("cancels", func() { sched.Cancel(cancel); x.Load() })
		r.Go("signals", func() { sched.Signal(wake) })
	},
	"two ways, and again": func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancel(t.Context())
		wake := make(chan struct{}, 1)
		r.Go("parks", func() {
			for sched.Err(ctx) == nil {
				sched.ParkCtx(ctx, wake)
			}
		})
		r.Go("signals", func() { sched.Signal(wake); sched.Cancel(cancel) })
	},
	"a child": func(_ testing.TB, r *explore.Run) {
		var x sched.Uint64
		r.Go("a", func() {
			x.Store(1)
			go func() { x.Load() }()
			x.Store(2)
		})
		r.Go("b", func() { x.Load() })
	},
	"after a context": func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancel(t.Context())
		var x sched.Uint64
		context.AfterFunc(ctx, func() { x.Store(1) })
		r.Go("a", func() { sched.Cancel(cancel); x.Load() })
		r.Go("b", func() { x.Load() })
	},
	"the unknown": func(_ testing.TB, r *explore.Run) {
		var x, y sched.Uint64
		ch := make(chan int, 2)
		r.Go("a", func() { x.Load(); sched.Opaque("send"); ch <- 1 })
		r.Go("b", func() { y.Load(); sched.Opaque("send"); ch <- 2 })
		r.Go("c", func() { x.Store(1) })
	},
}

// All orders, sleep sets and races reach the same classes.
func TestPruningKeepsEveryClass(t *testing.T) {
	t.Setenv("TANDEM_CHECK_PRUNING", "1")
	t.Setenv("TANDEM_SCHEDULES", "200000")
	for name, p := range programs {
		t.Run(name, func(t *testing.T) { explore.Explore(t, p) })
	}
}

// random returns a program of three goroutines that perform random operations on a few
// objects. It ends, since the last operation of one of them ends the context that
// others may wait for.
func random(seed uint64) explore.Program {
	return func(t testing.TB, r *explore.Run) {
		ctx, cancel := context.WithCancel(t.Context())
		defer r.After(cancel)
		var x, y sched.Uint64
		var flag sched.Bool
		var mu sched.Mutex
		var rw sched.RWMutex
		wake := make(chan struct{}, 1)
		do := func(op int) {
			switch op {
			case 0:
				x.Load()
			case 1:
				x.Store(1)
			case 2:
				y.Add(1)
			case 3:
				if y.Load() == 1 {
					x.Add(1)
				}
			case 4:
				mu.Lock()
				x.Load()
				mu.Unlock()
			case 5:
				if mu.TryLock() {
					flag.Store(true)
					mu.Unlock()
				}
			case 6:
				rw.RLock()
				y.Load()
				rw.RUnlock()
			case 7:
				rw.Lock()
				flag.Store(true)
				rw.Unlock()
			case 8:
				sched.Signal(wake)
			case 9:
				sched.ParkCtx(ctx, wake)
			case 10:
				if sched.Err(ctx) != nil {
					flag.Load()
				}
			case 11:
				go func() { x.Add(1) }()
			case 12:
				if flag.Load() {
					sched.Signal(wake)
				}
			case 13:
				sched.Opaque("an operation")
			}
		}
		choose := rand.New(rand.NewPCG(seed, 0))
		for _, name := range []string{"a", "b", "c"} {
			ops := []int{choose.IntN(14), choose.IntN(14)}[:1+choose.IntN(2)]
			r.Go(name, func() {
				for _, op := range ops {
					if name != "a" || op != 9 {
						do(op)
					}
				}
				if name == "a" {
					sched.Cancel(cancel)
				}
			})
		}
	}
}

// The same holds for random programs.
func TestPruningKeepsEveryClassOfRandomPrograms(t *testing.T) {
	t.Setenv("TANDEM_CHECK_PRUNING", "1")
	t.Setenv("TANDEM_SCHEDULES", "20000")
	seeds := 200
	if testing.Short() {
		seeds = 20
	}
	for seed := range uint64(seeds) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { explore.Explore(t, random(seed)) })
	}
}
