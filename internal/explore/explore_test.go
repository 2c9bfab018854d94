//go:build points

package explore_test

import (
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/point"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Two goroutines that come to three points each, the start among them, can be
// ordered in 6 over 3 ways.
func TestEveryOrderIsRun(t *testing.T) {
	seen := map[string]bool{}
	var order []byte
	r := explore.Explore(t, func(_ testing.TB, r *explore.Run) {
		order = order[:0]
		for _, name := range []byte("ab") {
			r.Go(string(name), func() {
				order = append(order, name)
				point.At("one")
				order = append(order, name)
				point.At("two")
				order = append(order, name)
			})
		}
		r.After(func() { seen[string(order)] = true })
	})
	if !r.Exhausted || len(seen) != 20 || r.Diverged > 0 {
		t.Errorf("%d orders; %v", len(seen), r)
	}
}

// A sleeper that does not look again after it has said that it sleeps is found:
// this test runs another process, as the run that goes wrong cannot end.
func TestALostWakeUpIsFound(t *testing.T) { finds(t, lostWakeUp, "nobody can go on") }

// What a program finds wrong comes with the order that led to it.
func TestABrokenLawIsFound(t *testing.T) {
	finds(t, func(t testing.TB, r *explore.Run) {
		n := 0
		for _, name := range []string{"a", "b"} {
			r.Go(name, func() {
				was := n
				point.At("between load and store")
				n = was + 1
			})
		}
		r.After(func() {
			if n != 2 {
				t.Error("one is lost")
			}
		})
	}, "one is lost", "goes on at between load and store", "TANDEM_SCHEDULE=0")
}

// So is one that is waited for in vain at the end.
func TestAnEndlessEndIsFound(t *testing.T) {
	finds(t, func(_ testing.TB, r *explore.Run) {
		r.Go("runner", func() { point.At("somewhere") })
		r.After(func() { <-make(chan int) })
	}, "runner goes on at somewhere", "TANDEM_SCHEDULE=0 runs it again", "all goroutines in bubble are blocked")
}

// So is a goroutine that goes round in circles.
func TestACircleIsFound(t *testing.T) {
	finds(t, func(_ testing.TB, r *explore.Run) {
		r.Go("runner", func() {
			for {
				point.At("once more")
			}
		})
	}, "it goes on and on", "runner goes on at once more")
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
		point.At("has looked")
		sleeps.Store(true)
		<-wake
	})
	r.Go("waker", func() {
		ready.Store(true)
		point.At("has changed it")
		if sleeps.Load() {
			wake <- struct{}{}
		}
	})
}
