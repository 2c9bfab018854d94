package spsc_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/tandemgo/tandem/internal/spsc"
	"github.com/tandemgo/tandem/internal/testkit"
)

// kinds are rings of every kind that changes how they work.
func kinds() map[string]func() *spsc.Ring[int] {
	return map[string]func() *spsc.Ring[int]{
		"capacity 0": func() *spsc.Ring[int] { return spsc.New[int](0) },
		"capacity 1": func() *spsc.Ring[int] { return spsc.New[int](1) },
		"capacity 6": func() *spsc.Ring[int] { return spsc.New[int](6) },
		"adaptive":   func() *spsc.Ring[int] { return spsc.Adaptive[int](spsc.Base) },
	}
}

// Every item arrives once and in order, whatever the ends do meanwhile.
func TestItemsArriveInOrder(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 20_000
	}
	for name, make := range kinds() {
		t.Run(name, func(t *testing.T) {
			testkit.Watchdog(t, func() {
				l := make()
				go func() {
					for i := range n {
						if err := l.Push(t.Context(), i); err != nil {
							t.Error(err)
						}
						if i%5000 == 0 {
							time.Sleep(50 * time.Microsecond) // chaos, no order depends on it
						}
					}
					l.Close()
				}()
				next := 0
				for {
					v, ok, err := l.Pop(t.Context())
					if err != nil {
						t.Error(err)
					}
					if !ok {
						break
					}
					if v != next {
						t.Fatalf("got %d, want %d", v, next)
					}
					if next++; next%7000 == 0 {
						time.Sleep(100 * time.Microsecond)
					}
				}
				if next != n || l.Sent() != uint64(n) || l.Freed() != uint64(n) {
					t.Errorf("%d items received, %d sent, %d freed, want %d", next, l.Sent(), l.Freed(), n)
				}
			})
		})
	}
}

// No wake-up is lost when the ends take turns: each is parked for nearly every
// item.
func TestPingPong(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 5_000
	}
	for name, make := range kinds() {
		t.Run(name, func(t *testing.T) {
			testkit.Watchdog(t, func() {
				there, back := make(), make()
				go func() {
					for {
						v, ok, _ := there.Pop(t.Context())
						if !ok {
							back.Close()
							return
						}
						_ = back.Push(t.Context(), v)
					}
				}()
				for i := range n {
					_ = there.Push(t.Context(), i)
					if v, ok, err := back.Pop(t.Context()); v != i || !ok || err != nil {
						t.Fatalf("got %d, %v, %v, want %d", v, ok, err, i)
					}
				}
				there.Close()
				if _, ok, err := back.Pop(t.Context()); ok || err != nil {
					t.Errorf("after the end: %v, %v", ok, err)
				}
			})
		})
	}
}

// A ring of capacity n takes n items besides the one in hand, and no more.
func TestCapacity(t *testing.T) {
	for _, n := range []int{0, 1, 5, 16, 100} {
		l := spsc.New[int](n)
		fill := func() (put int) {
			for l.TryPush(put) {
				put++
			}
			return put
		}
		if put := fill(); put != n+1 || l.Sent() != uint64(n)+1 || l.Freed() != 0 {
			t.Errorf("capacity %d: %d items without a receiver, and it says %d sent, %d freed", n, put, l.Sent(), l.Freed())
		}
		if _, ok := l.TryPop(); !ok || l.TryPush(0) {
			t.Errorf("capacity %d: the item in hand does not count", n)
		}
		for range n + 1 { // the rest, and one look at nothing
			l.TryPop()
		}
		l.ArmPop()
		if !l.Fits(n+1) || l.Fits(n+2) {
			t.Errorf("capacity %d: it fits %d: %v, and %d: %v", n, n+1, l.Fits(n+1), n+2, l.Fits(n+2))
		}
		if put := fill(); put != n+1 {
			t.Errorf("capacity %d: %d items after all were taken", n, put)
		}
	}
}

// An adaptive ring holds little while its receiver is slow, and more when it is
// fast, and less again.
func TestAdaptiveCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := spsc.Adaptive[int](spsc.Base)
		backlog := 0
		round := func(pause time.Duration, items int) {
			for range items {
				synctest.Wait() // the sender has filled it
				backlog = int(l.Sent() - l.Freed())
				if _, ok, err := l.Pop(t.Context()); !ok || err != nil {
					t.Fatal(ok, err)
				}
				time.Sleep(pause)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for i := 0; l.Push(ctx, i) == nil; i++ {
			}
		}()
		if round(time.Millisecond, 200); backlog > spsc.Base {
			t.Errorf("slow: %d items in the ring", backlog)
		}
		if round(0, 20_000); backlog < 500 || backlog > 1024 {
			t.Errorf("fast: %d items in the ring", backlog)
		}
		if round(time.Millisecond, 5_000); backlog > spsc.Base {
			t.Errorf("slow again: %d items in the ring", backlog)
		}
		cancel()
		l.Wake()
	})
}

// Large items make it hold fewer.
func TestAdaptiveCapacityInBytes(t *testing.T) {
	type large struct{ _ [8 << 10]byte }
	synctest.Test(t, func(t *testing.T) {
		l := spsc.Adaptive[large](spsc.Base)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for l.Push(ctx, large{}) == nil {
			}
		}()
		for range 1000 {
			synctest.Wait()
			if n := l.Sent() - l.Freed(); n > spsc.Base {
				t.Fatalf("%d items of 8 KiB", n)
			}
			_, _, _ = l.Pop(t.Context())
		}
		cancel()
		l.Wake()
	})
}

// Who waits leaves with the cause of the context, and the ring goes on.
func TestLeavingWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		l := spsc.New[int](0)
		time.AfterFunc(time.Second, func() { cancel(cause); l.Wake() })
		if _, ok, err := l.Pop(ctx); ok || err != cause {
			t.Errorf("receive: %v, %v", ok, err)
		}
		if !l.TryPush(1) {
			t.Error("no room in an empty ring")
		}
		if err := l.Push(ctx, 2); err != cause {
			t.Errorf("send: %v", err)
		}
		if v, ok, err := l.Pop(t.Context()); v != 1 || !ok || err != nil {
			t.Errorf("got %d, %v, %v", v, ok, err)
		}
		go func() { _ = l.Push(t.Context(), 3) }()
		if v, ok, err := l.Pop(t.Context()); v != 3 || !ok || err != nil {
			t.Errorf("got %d, %v, %v", v, ok, err)
		}
	})
}

// Await returns when its function says so, and has lost nothing then.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, ready := wired(0)
		var late atomic.Bool
		time.AfterFunc(time.Second, func() { late.Store(true); ready <- struct{}{} })
		if ok, early, err := l.Await(t.Context(), func() bool { return !late.Load() }); ok || !early || err != nil {
			t.Errorf("%v, %v, %v", ok, early, err)
		}
		time.AfterFunc(time.Second, func() { l.TryPush(7); l.Close() })
		if ok, early, err := l.Await(t.Context(), nil); !ok || early || err != nil {
			t.Errorf("%v, %v, %v", ok, early, err)
		}
		synctest.Wait() // it is closed, too
		if v, ok := l.TryPop(); v != 7 || !ok || !l.Ended() {
			t.Errorf("got %d, %v; ended %v", v, ok, l.Ended())
		}
		l.Reopen()
		if l.Ended() {
			t.Error("ended after Reopen")
		}
	})
}

// C8: what was taken is garbage.
func TestTakenItemsAreGarbage(t *testing.T) {
	type blob struct{ _ [1 << 12]byte }
	l := spsc.New[*blob](3)
	var refs []weak.Pointer[blob]
	for range 10 {
		b := new(blob)
		refs = append(refs, weak.Make(b))
		l.TryPush(b)
		b, _ = l.TryPop()
		l.More()
		runtime.KeepAlive(b)
	}
	runtime.GC()
	for i, r := range refs {
		if r.Value() != nil {
			t.Errorf("item %d is still reachable", i)
		}
	}
	runtime.KeepAlive(l)
}

// An end that is about to park looks again once it has said so: what came just
// before does not signal any more.
func TestArmingLooksAgain(t *testing.T) {
	l := spsc.New[int](1)
	l.TryPush(1)
	if l.ArmPop() {
		t.Error("the receiver would park though there is an item")
	}
	l.TryPop()
	if !l.ArmPop() {
		t.Error("the receiver would not park though there is nothing")
	}
	l.Close()
	if l.ArmPop() {
		t.Error("the receiver would park though the ring is closed")
	}

	l = spsc.New[int](1)
	l.TryPush(1)
	l.TryPush(2)
	if !l.ArmPush(1) {
		t.Error("the sender would not park though the ring is full")
	}
	l.TryPop()
	l.More()
	if l.ArmPush(1) {
		t.Error("the sender would park though there is room for one")
	}
	if !l.ArmPush(2) {
		t.Error("the sender would not park though there is no room for two")
	}
}
