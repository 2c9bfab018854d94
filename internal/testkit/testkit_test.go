package testkit_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A recorder is a testing.TB that collects failures.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// The ledger detects missing and repeated ids.
func TestLedgerCanFail(t *testing.T) {
	l := testkit.NewLedger(20)
	for id := range 20 {
		if id != 3 {
			l.Note(id)
		}
	}
	l.Note(7)
	for want, check := range map[int]func(testing.TB){2: l.ExactlyOnce, 1: l.AtMostOnce} {
		r := &recorder{TB: t}
		check(r)
		if len(r.failures) != want {
			t.Errorf("%d failures, want %d: %q", len(r.failures), want, r.failures)
		}
	}
	if l.Total() != 20 || l.Seen(7) != 2 {
		t.Errorf("total %d, id 7 seen %d times", l.Total(), l.Seen(7))
	}
}

func TestGaugeRemembersTheMost(t *testing.T) {
	var g testkit.Gauge
	var wg sync.WaitGroup
	gate := make(chan struct{})
	var in sync.WaitGroup
	for range 10 {
		in.Add(1)
		wg.Go(func() { g.Enter(); in.Done(); <-gate; g.Leave() })
	}
	in.Wait()
	if g.Now() != 10 {
		t.Errorf("now %d", g.Now())
	}
	close(gate)
	wg.Wait()
	if g.Now() != 0 || g.Most() != 10 {
		t.Errorf("now %d, most %d", g.Now(), g.Most())
	}
}

// Trace counts the parks of a ping-pong, at least one a round, and not those of a
// goroutine that is blocked all the time.
func TestTraceCountsParks(t *testing.T) {
	blocked := make(chan struct{})
	go func() { <-blocked }()
	defer close(blocked)
	const rounds = 200
	pingPong := func() {
		ping, pong := make(chan int), make(chan int)
		go func() {
			for v := range ping {
				pong <- v
			}
			close(pong)
		}()
		for i := range rounds {
			ping <- i
			<-pong
		}
		close(ping)
		<-pong
	}
	busy := testkit.Trace(t, pingPong)
	idle := testkit.Trace(t, func() { <-time.After(10 * time.Millisecond) })
	if busy.Parks < rounds || busy.Wakes < rounds || busy.Started < 1 {
		t.Errorf("%d rounds: %+v", rounds, busy)
	}
	if idle.Parks > 20 {
		t.Errorf("idle: %+v", idle)
	}
}

// Work that never waits does not park, independent of the garbage collector.
func TestTraceLeavesTheCollectorOut(t *testing.T) {
	var kept [][]byte
	a := testkit.Trace(t, func() {
		for range 1000 {
			kept = append(kept, make([]byte, 100_000))
			if len(kept) > 10 {
				kept = kept[:0]
			}
		}
	})
	if a.Parks > 20 {
		t.Errorf("%+v", a)
	}
}
