package survive

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/faults"
)

// toys have a known outcome.
var toys = []Scenario{
	{Fault: "toy", Peer: "survives", Run: func() error { return nil }},
	{Fault: "toy", Peer: "takes an hour", Run: func() error { time.Sleep(time.Hour); return nil }},
	{Fault: "toy", Peer: "hangs", Run: func() error { <-make(chan int); return nil }},
	{Fault: "toy", Peer: "hangs, and a timer ticks", Run: func() error {
		go func() {
			for range time.Tick(time.Second) {
			}
		}()
		<-make(chan int)
		return nil
	}},
	{Fault: "toy", Peer: "hangs for a lock", Run: func() error { var mu sync.Mutex; mu.Lock(); mu.Lock(); return nil }},
	{Fault: "toy", Peer: "hangs for a lock that one holds who waits", Run: func() error {
		var mu sync.RWMutex
		go func() { mu.RLock(); <-make(chan int) }()
		settle()
		mu.Lock()
		return nil
	}},
	{Fault: "toy", Peer: "works while others wait for its lock", Run: func() error {
		var mu sync.Mutex
		mu.Lock()
		var wg sync.WaitGroup
		wg.Go(func() { mu.Lock() })
		for range 1_000_000_000 { // much longer than it takes to look twice
		}
		mu.Unlock()
		wg.Wait()
		return nil
	}},
	{Fault: "toy", Peer: "panics", Run: func() error { panic("here") }},
	{Fault: "toy", Peer: "panics elsewhere", Run: func() error { go panic("elsewhere"); <-make(chan int); return nil }},
	{Fault: "toy", Peer: "leaks", Run: func() error { go func() { <-make(chan int) }(); return nil }},
	{Fault: "toy", Peer: "leaks a timer", Run: func() error {
		go func() {
			for range time.Tick(time.Second) {
			}
		}()
		return nil
	}},
	{Fault: "toy", Peer: "ends later", Run: func() error { go time.Sleep(time.Minute); return nil }},
	{Fault: "toy", Peer: "loses", Run: func() error { return conserve(func(do func()) {}) }},
	{Fault: "toy", Peer: "doubles", Run: func() error { return conserve(func(do func()) { do(); do() }) }},
	{Fault: "toy", Peer: "conserves", Run: func() error { return conserve(func(do func()) { do() }) }},
	{Fault: "toy", Peer: "loses, as it says", Run: func() error { return errors.New("7 of 9") }, Contract: "its page"},
	{Fault: "toy", Peer: "better than it says", Run: func() error { return nil }, Contract: "its page"},
	{Fault: "toy", Peer: "real", Run: func() error { return nil }, Real: true},
	{Fault: "toy", Peer: "real and wrong", Run: func() error { return errors.New("7 of 9") }, Real: true},
}

// conserve asks a crew that runs each task as run says.
func conserve(run func(func())) error {
	return processorsChange(func(int) crew { return crew{do: always(run), end: func() {}} })
}

// outside and ack are not of a bubble.
var outside, ack = make(chan chan int), make(chan int)

// broken are trials that are at fault themselves.
var broken = []Scenario{
	{Fault: "toy", Peer: "exits", Run: func() error { os.Exit(0); return nil }},
	{Fault: "toy", Peer: "mixes bubbles", Before: func() {
		go func() { close(<-outside); close(ack) }()
	}, Run: func() error {
		outside <- make(chan int)
		<-ack // this is no wait that a bubble would end
		return nil
	}},
}

func TestMain(m *testing.M) {
	Child(append(append(All(), toys...), broken...))
	os.Exit(m.Run())
}

// The harness tells survivors from victims, of every kind.
func TestOutcomes(t *testing.T) {
	want := map[string]Outcome{
		"survives": Survives, "takes an hour": Survives, "ends later": Survives, "conserves": Survives,
		"hangs": Hangs, "hangs, and a timer ticks": Hangs, "hangs for a lock": Hangs,
		"hangs for a lock that one holds who waits": Hangs, "works while others wait for its lock": Survives,
		"panics": Crashes, "panics elsewhere": Crashes,
		"leaks": Leaks, "leaks a timer": Leaks,
		"loses": Wrong, "doubles": Wrong,
		"loses, as it says": ByContract, "better than it says": Survives,
		"real": Survives, "real and wrong": Wrong,
	}
	results, err := Run(t.Context(), toys, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(want) {
		t.Errorf("%d results, want %d", len(results), len(want))
	}
	for i, r := range results {
		if r.Peer != toys[i].Peer || r.Outcome != want[r.Peer] {
			t.Errorf("%s: %s (%s), want %s", r.Peer, r.Outcome, r.Detail, want[r.Peer])
		}
	}
}

// A trial that is at fault itself is no outcome but an error.
func TestBrokenTrials(t *testing.T) {
	for _, s := range broken {
		if results, err := Run(t.Context(), []Scenario{s}, 1); err == nil {
			t.Errorf("%s: %+v", s.Peer, results)
		}
	}
}

// What ends with the context of a Run is no outcome either.
func TestRunIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if results, err := Run(ctx, toys, 2); err == nil {
		t.Errorf("%d results", len(results))
	}
}

// Tandem survives everything that it is asked.
func TestTandemSurvives(t *testing.T) {
	var ours []Scenario
	for _, s := range All() {
		if Ours(s.Peer) {
			ours = append(ours, s)
		}
	}
	if len(ours) < 50 {
		t.Errorf("only %d scenarios of Tandem", len(ours))
	}
	results, err := Run(t.Context(), ours, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Outcome != Survives {
			t.Errorf("%s: %s (%s)", r.Name(), r.Outcome, r.Detail)
		}
	}
}

// Each row of the list is tried, or there is a reason why not; on Tandem first of
// all; and no scenario is there twice.
func TestScenarios(t *testing.T) {
	seen, tried, onOurs := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range All() {
		if seen[s.Name()] {
			t.Errorf("%s is there twice", s.Name())
		}
		seen[s.Name()] = true
		tried[rowOf(s.Fault).ID] = true
		if _, known := modules[s.Peer]; !known && !Ours(s.Peer) && s.Peer != channels && s.Peer != classic {
			t.Errorf("nobody knows where %s comes from", s.Peer)
		}
		onOurs[s.Fault] = onOurs[s.Fault] || Ours(s.Peer)
	}
	reasons := map[string]int{}
	for _, r := range ours {
		for _, id := range r.ids {
			reasons[rowOf(id).ID]++
		}
	}
	for _, f := range faults.All() {
		if n := reasons[f.ID]; tried[f.ID] == (n > 0) || n > 1 {
			t.Errorf("%s: tried is %v, and there are %d reasons why not", f.ID, tried[f.ID], n)
		}
		if tried[f.ID] && !onOurs[f.ID] && f.ID != "FR1" { // which is told no time
			t.Errorf("%s is not tried on Tandem", f.ID)
		}
	}
}

func TestTable(t *testing.T) {
	s := Kinds[0].Scenarios[0]
	s.Contract, s.Remark = "a | b", "but"
	var b strings.Builder
	if err := Table(&b, []Result{{Scenario: s, Outcome: ByContract, Seen: Wrong, Detail: "7 of 9"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| | What goes wrong | tandem |", " by contract |", "wrong, 7 of 9 (documented: a \\| b); but\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestCount(t *testing.T) {
	var b strings.Builder
	if err := Count(&b, []Result{
		{Scenario: Scenario{Peer: "x"}, Outcome: ByContract}, {Scenario: Scenario{Peer: "x"}, Outcome: Hangs},
		{Scenario: Scenario{Peer: "x"}, Outcome: Survives}, {Scenario: Scenario{Peer: tandem}, Outcome: Survives},
	}); err != nil {
		t.Fatal(err)
	}
	if want := "| tandem | 1 | 1 | 0 | 0 |\n| x | 3 | 1 | 1 | 1 |\n"; !strings.HasSuffix(b.String(), want) {
		t.Errorf("got\n%s", b.String())
	}
}
