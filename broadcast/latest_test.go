package broadcast_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

// W1: no walk sees an older value after a newer one, and each sees the last one.
func TestW1NeverBackAndAlwaysTheLast(t *testing.T) {
	const n = 20_000
	testkit.Watchdog(t, func() {
		var l broadcast.Latest[int]
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				last := 0
				for v := range l.Changes(t.Context()) {
					if v <= last {
						t.Errorf("%d after %d", v, last)
					}
					if last = v; v == n {
						return
					}
				}
			})
		}
		for i := 1; i <= n; i++ {
			l.Set(i)
			if v, ok := l.Get(); v != i || !ok {
				t.Errorf("Get: %d, %v; want %d", v, ok, i)
			}
		}
		wg.Wait()
	})
}

// W2: a walk begins with the present value, if there is one, passes over what it
// was too slow for, and ends with its context. C7: it sleeps in a bubble.
func TestW2Changes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l broadcast.Latest[string]
		if v, ok := l.Get(); ok || v != "" {
			t.Errorf("it holds %q", v)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go func() {
			for _, v := range []string{"a", "b", "c", "d"} {
				time.Sleep(time.Minute)
				l.Set(v)
			}
		}()
		var got []string
		for v := range l.Changes(ctx) {
			got = append(got, v)
			time.Sleep(100 * time.Second)
		}
		if diff := cmp.Diff([]string{"a", "b", "d"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for v := range l.Changes(t.Context()) {
			if v != "d" {
				t.Errorf("a new walk begins with %q", v)
			}
			break
		}
	})
}

// W3: Set waits for nobody, and what was replaced is garbage, whoever has stalled.
func TestW3ReplacedIsGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l broadcast.Latest[*[100]int]
		ctx, cancel := context.WithCancel(t.Context())
		stall := make(chan struct{})
		var wg sync.WaitGroup
		first := new([100]int)
		old := weak.Make(first)
		l.Set(first)
		first = nil
		for range 3 {
			wg.Go(func() {
				for range l.Changes(ctx) {
					<-stall
				}
			})
		}
		synctest.Wait()
		for range 1000 {
			l.Set(new([100]int))
		}
		runtime.GC()
		runtime.GC()
		if old.Value() != nil {
			t.Error("a value that was replaced is held")
		}
		close(stall)
		cancel()
		wg.Wait()
		runtime.KeepAlive(&l)
	})
}

// W3: walks that give up leave nothing, though nothing is set; and Set does not
// allocate for those that wait.
func TestW3WalksLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l broadcast.Latest[int]
		wait := func(n int) {
			for range n {
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() {
					for range l.Changes(ctx) {
						t.Error("a value")
					}
				})
				synctest.Wait()
				cancel()
				wg.Wait()
			}
		}
		wait(100)
		before := testkit.Heap()
		wait(5000)
		if after := testkit.Heap(); after > before+300_000 {
			t.Errorf("the heap grew by %d bytes", after-before)
		}
		if n := testing.AllocsPerRun(100, func() { l.Set(1) }); n > 0 {
			t.Errorf("Set allocates %v times", n)
		}
	})
}

// C3, C5: Set, Get and another walk inside a walk; a nil context panics.
func TestLatestInsideAWalk(t *testing.T) {
	var l broadcast.Latest[int]
	l.Set(1)
	for v := range l.Changes(t.Context()) {
		if v == 5 {
			break
		}
		for inner := range l.Changes(t.Context()) {
			l.Set(inner + 1)
			break
		}
	}
	testkit.Panics(t, map[string]func(){
		"broadcast: Latest.Changes: context must not be nil": func() { l.Changes(nil) }, //nolint:staticcheck
	})
}

// A reader of a configuration that changes.
func ExampleLatest() {
	var config broadcast.Latest[string]
	config.Set("debug = false")
	fmt.Println(config.Get())
	for v := range config.Changes(context.Background()) {
		fmt.Println(v)
		if v == "debug = true" {
			break
		}
		config.Set("debug = maybe") // it is replaced before anybody looks
		config.Set("debug = true")
	}
	// Output:
	// debug = false true
	// debug = false
	// debug = true
}
