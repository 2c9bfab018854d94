//go:build points

package explore_test

import (
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Two goroutines with three operations each that commute with nothing have 6 over 3 orders.
func TestEveryOrderIsRun(t *testing.T) {
	seen := map[string]bool{}
	var order []byte
	r := explore.Explore(t, func(_ testing.TB, r *explore.Run) {
		order = order[:0]
		for _, name := range []byte("ab") {
			r.Go(string(name), func() {
				for range 3 {
					sched.Opaque("point")
					order = append(order, name)
				}
			})
		}
		r.After(func() { seen[string(order)] = true })
	})
	if !r.Exhausted || len(seen) != 20 || r.Diverged > 0 {
		t.Errorf("%d orders; %v", len(seen), r)
	}
}

// A sleeper that does not check again after it has announced its sleep is found. The
// test runs another process, as the failing run cannot end.
func TestALostWakeUpIsFound(t *testing.T) {
	finds(t, lostWakeUp, "no goroutine can go on", " has looked in explore_test.", "TANDEM_SCHEDULE=")
}

// A failure is reported with the order that led to it.
func TestABrokenLawIsFound(t *testing.T) {
	finds(t, func(t testing.TB, r *explore.Run) {
		n := 0
		for _, name := range []string{"a", "b"} {
			r.Go(name, func() {
				was := n
				sched.Opaque("between load and store")
				n = was + 1
			})
		}
		r.After(func() {
			if n != 2 {
				t.Error("one is lost")
			}
		})
	}, "one is lost", " between load and store in explore_test.", "TANDEM_SCHEDULE=0")
}

// A function of After that blocks for ever is found.
func TestAnEndlessEndIsFound(t *testing.T) {
	finds(t, func(_ testing.TB, r *explore.Run) {
		r.Go("runner", func() { sched.Opaque("somewhere") })
		r.After(func() { <-make(chan int) })
	}, " somewhere in explore_test.", "TANDEM_SCHEDULE=0 runs it again", "all goroutines in bubble are blocked")
}

// An endless loop is found.
func TestACircleIsFound(t *testing.T) {
	finds(t, func(_ testing.TB, r *explore.Run) {
		r.Go("runner", func() {
			for {
				sched.Opaque("once more")
			}
		})
	}, "it goes on and on", " once more in explore_test.", "TANDEM_SCHEDULE=0 runs it again")
}

func finds(t *testing.T, p explore.Program, want ...string) {
	t.Helper()
	if os.Getenv("TANDEM_PLANTED") != "" {
		explore.Explore(t, p)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "TANDEM_PLANTED=1")
	out, err := cmd.CombinedOutput()
	for _, s := range want {
		if err == nil || !strings.Contains(string(out), s) {
			t.Errorf("error %v, want %q in\n%s", err, s, out)
		}
	}
}

func lostWakeUp(_ testing.TB, r *explore.Run) {
	var ready, sleeps atomic.Bool
	wake := make(chan struct{}, 1)
	r.Go("sleeper", func() {
		if ready.Load() {
			return
		}
		sched.Opaque("has looked")
		sleeps.Store(true)
		<-wake
	})
	r.Go("waker", func() {
		ready.Store(true)
		sched.Opaque("has changed it")
		if sleeps.Load() {
			wake <- struct{}{}
		}
	})
}
