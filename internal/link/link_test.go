package link_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// kinds are links of every kind that changes how they work.
func kinds() map[string]func() *link.Link[int] {
	return map[string]func() *link.Link[int]{
		"capacity 0": func() *link.Link[int] { return link.New[int](0) },
		"capacity 1": func() *link.Link[int] { return link.New[int](1) },
		"capacity 6": func() *link.Link[int] { return link.New[int](6) },
		"adaptive":   func() *link.Link[int] { return link.Adaptive[int](link.Base) },
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
						if err := l.Send(t.Context(), i); err != nil {
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
					v, ok, err := l.Receive(t.Context())
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
						v, ok, _ := there.Receive(t.Context())
						if !ok {
							back.Close()
							return
						}
						_ = back.Send(t.Context(), v)
					}
				}()
				for i := range n {
					_ = there.Send(t.Context(), i)
					if v, ok, err := back.Receive(t.Context()); v != i || !ok || err != nil {
						t.Fatalf("got %d, %v, %v, want %d", v, ok, err, i)
					}
				}
				there.Close()
				if _, ok, err := back.Receive(t.Context()); ok || err != nil {
					t.Errorf("after the end: %v, %v", ok, err)
				}
			})
		})
	}
}

// A link of capacity n takes n items besides the one in hand, and no more.
func TestCapacity(t *testing.T) {
	for _, n := range []int{0, 1, 5, 16, 100} {
		l := link.New[int](n)
		fill := func() (put int) {
			for l.Put(put) {
				put++
			}
			return put
		}
		if put := fill(); put != n+1 || l.Free() != 0 {
			t.Errorf("capacity %d: %d items without a receiver, %d free", n, put, l.Free())
		}
		if _, ok := l.Next(); !ok || l.Put(0) {
			t.Errorf("capacity %d: the item in hand does not count", n)
		}
		for range n + 1 { // the rest, and one look at nothing
			l.Next()
		}
		l.GiveBack()
		if !l.Fits(n+1) || l.Fits(n+2) {
			t.Errorf("capacity %d: it fits %d: %v, and %d: %v", n, n+1, l.Fits(n+1), n+2, l.Fits(n+2))
		}
		if put := fill(); put != n+1 {
			t.Errorf("capacity %d: %d items after all were taken", n, put)
		}
	}
}

// An adaptive link holds little while its receiver is slow, and more when it is
// fast, and less again.
func TestAdaptiveCapacity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := link.Adaptive[int](link.Base)
		backlog := 0
		round := func(pause time.Duration, items int) {
			for range items {
				synctest.Wait() // the sender has filled it
				backlog = int(l.Sent() - l.Freed())
				if _, ok, err := l.Receive(t.Context()); !ok || err != nil {
					t.Fatal(ok, err)
				}
				time.Sleep(pause)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for i := 0; l.Send(ctx, i) == nil; i++ {
			}
		}()
		if round(time.Millisecond, 200); backlog > link.Base {
			t.Errorf("slow: %d items on the link", backlog)
		}
		if round(0, 20_000); backlog < 500 || backlog > 1024 {
			t.Errorf("fast: %d items on the link", backlog)
		}
		if round(time.Millisecond, 5_000); backlog > link.Base {
			t.Errorf("slow again: %d items on the link", backlog)
		}
		cancel()
	})
}

// Large items make it hold fewer.
func TestAdaptiveCapacityInBytes(t *testing.T) {
	type large struct{ _ [8 << 10]byte }
	synctest.Test(t, func(t *testing.T) {
		l := link.Adaptive[large](link.Base)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for l.Send(ctx, large{}) == nil {
			}
		}()
		for range 1000 {
			synctest.Wait()
			if n := l.Sent() - l.Freed(); n > link.Base {
				t.Fatalf("%d items of 8 KiB", n)
			}
			_, _, _ = l.Receive(t.Context())
		}
		cancel()
	})
}

// Who waits leaves with the cause of the context, and the link goes on.
func TestLeavingWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		l := link.New[int](0)
		if _, ok, err := l.Receive(ctx); ok || err != cause {
			t.Errorf("receive: %v, %v", ok, err)
		}
		if !l.Put(1) {
			t.Error("no room in an empty link")
		}
		if err := l.Send(ctx, 2); err != cause {
			t.Errorf("send: %v", err)
		}
		if v, ok, err := l.Receive(t.Context()); v != 1 || !ok || err != nil {
			t.Errorf("got %d, %v, %v", v, ok, err)
		}
		go func() { _ = l.Send(t.Context(), 3) }()
		if v, ok, err := l.Receive(t.Context()); v != 3 || !ok || err != nil {
			t.Errorf("got %d, %v, %v", v, ok, err)
		}
	})
}

// AwaitUntil returns for the timer, and has lost nothing then.
func TestAwaitUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := link.New[int](0)
		timer := time.NewTimer(time.Second)
		if ok, late, err := l.AwaitUntil(t.Context(), timer.C); ok || !late || err != nil {
			t.Errorf("%v, %v, %v", ok, late, err)
		}
		time.AfterFunc(time.Second, func() { l.Put(7); l.Close() })
		if ok, late, err := l.AwaitUntil(t.Context(), nil); !ok || late || err != nil {
			t.Errorf("%v, %v, %v", ok, late, err)
		}
		synctest.Wait() // it is closed, too
		if v, ok := l.Next(); v != 7 || !ok || !l.Ended() {
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
	l := link.New[*blob](3)
	var refs []weak.Pointer[blob]
	for range 10 {
		b := new(blob)
		refs = append(refs, weak.Make(b))
		l.Put(b)
		b, _ = l.Next()
		l.GiveBack()
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
	l := link.New[int](1)
	l.Put(1)
	if l.ArmReceiver() {
		t.Error("the receiver would park though there is an item")
	}
	l.Next()
	if !l.ArmReceiver() {
		t.Error("the receiver would not park though there is nothing")
	}
	l.Close()
	if l.ArmReceiver() {
		t.Error("the receiver would park though the link is closed")
	}

	l = link.New[int](1)
	l.Put(1)
	l.Put(2)
	if !l.ArmSender(1) {
		t.Error("the sender would not park though the link is full")
	}
	l.Next()
	l.GiveBack()
	if l.ArmSender(1) {
		t.Error("the sender would park though there is room for one")
	}
	if !l.ArmSender(2) {
		t.Error("the sender would not park though there is no room for two")
	}
}
