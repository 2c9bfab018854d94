package survive

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/faults"
)

// toys have their outcome as their kind.
var toys = []Scenario{
	{Kind: "survives", Peer: "survives", Run: func() error { return nil }},
	{Kind: "survives", Peer: "takes an hour", Run: func() error { time.Sleep(time.Hour); return nil }},
	{Kind: "hangs", Peer: "hangs", Run: func() error { <-make(chan int); return nil }},
	{Kind: "hangs", Peer: "hangs, and a timer ticks", Run: func() error {
		go func() {
			for range time.Tick(time.Second) {
			}
		}()
		<-make(chan int)
		return nil
	}},
	{Kind: "hangs", Peer: "hangs for a lock", Run: func() error { var mu sync.Mutex; mu.Lock(); mu.Lock(); return nil }},
	{Kind: "hangs", Peer: "hangs for a lock held by a goroutine that waits", Run: func() error {
		var mu sync.RWMutex
		go func() { mu.RLock(); <-make(chan int) }()
		settle()
		mu.Lock()
		return nil
	}},
	{Kind: "survives", Peer: "works while others wait for its lock", Run: func() error {
		var mu sync.Mutex
		mu.Lock()
		var wg sync.WaitGroup
		wg.Go(func() { mu.Lock() })
		for range 1_000_000_000 { // much longer than two checks take
		}
		mu.Unlock()
		wg.Wait()
		return nil
	}},
	{Kind: "crashes", Peer: "panics", Run: func() error { panic("here") }},
	{Kind: "crashes", Peer: "panics elsewhere", Run: func() error { go panic("elsewhere"); <-make(chan int); return nil }},
	{Kind: "leaks", Peer: "leaks", Run: func() error { go func() { <-make(chan int) }(); return nil }},
	{Kind: "leaks", Peer: "leaks a timer", Run: func() error {
		go func() {
			for range time.Tick(time.Second) {
			}
		}()
		return nil
	}},
	{Kind: "survives", Peer: "ends later", Run: func() error { go time.Sleep(time.Minute); return nil }},
	{Kind: "wrong", Peer: "loses", Run: func() error { return conserve(func(do func()) {}) }},
	{Kind: "wrong", Peer: "doubles", Run: func() error { return conserve(func(do func()) { do(); do() }) }},
	{Kind: "survives", Peer: "conserves", Run: func() error { return conserve(func(do func()) { do() }) }},
	{Kind: "by contract", Peer: "loses, as it says", Run: func() error { return errors.New("7 of 9") }, Contract: "its page"},
	{Kind: "survives", Peer: "better than it says", Run: func() error { return nil }, Contract: "its page"},
	{Kind: "survives", Peer: "real", Run: func() error { return nil }, Real: true},
	{Kind: "wrong", Peer: "real and wrong", Run: func() error { return errors.New("7 of 9") }, Real: true},
}

// conserve tests an executor that runs each task by run.
func conserve(run func(func())) error {
	return processorsChange(func(int, int) executor { return executor{do: always(run), end: func() {}} })
}

// outside and ack do not belong to a bubble.
var outside, ack = make(chan chan int), make(chan int)

// broken are trials that fail by themselves.
var broken = []Scenario{
	{Fault: "toy", Peer: "exits", Run: func() error { os.Exit(0); return nil }},
	{Fault: "toy", Peer: "mixes bubbles", Before: func() {
		go func() { close(<-outside); close(ack) }()
	}, Run: func() error {
		outside <- make(chan int)
		<-ack // the bubble does not end this wait
		return nil
	}},
}

func TestMain(m *testing.M) {
	Child(append(append(All(), toys...), broken...))
	os.Exit(m.Run())
}

// The harness recognizes each outcome.
func TestOutcomes(t *testing.T) {
	results, err := Run(t.Context(), toys, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Peer != toys[i].Peer || string(r.Outcome) != r.Kind {
			t.Errorf("%s: %s (%s), want %s", r.Peer, r.Outcome, r.Detail, r.Kind)
		}
	}
}

// A trial that fails by itself is an error, not an outcome.
func TestBrokenTrials(t *testing.T) {
	for _, s := range broken {
		if results, err := Run(t.Context(), []Scenario{s}, 1); err == nil {
			t.Errorf("%s: %+v", s.Peer, results)
		}
	}
}

// A trial that ends with the context of a Run is not an outcome either.
func TestRunIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if results, err := Run(ctx, toys, 2); err == nil {
		t.Errorf("%d results", len(results))
	}
}

// Tandem survives every scenario.
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

// Each row of the list has scenarios, first of all for Tandem, or a reason for having
// none; and no scenario is repeated.
func TestScenarios(t *testing.T) {
	seen, tried, ours, others := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range All() {
		if seen[s.Name()] {
			t.Errorf("%s is there twice", s.Name())
		}
		seen[s.Name()] = true
		tried[s.Fault] = true
		if Ours(s.Peer) {
			ours[s.Fault] = true
		} else if s.Peer != byHand && s.Peer != byClassic {
			others[s.Peer] = true
		}
	}
	var results []Result
	for peer := range others {
		results = append(results, Result{Scenario: Scenario{Peer: peer}})
	}
	versions := page(results).Versions()
	for peer := range others {
		if !regexp.MustCompile(`\b` + peer + `\b`).MatchString(versions) {
			t.Errorf("the module of %s is not known in\n%s", peer, versions)
		}
	}
	for _, f := range faults.All() {
		if n := strings.Count(text, `"`+f.ID+`"`); tried[f.ID] == (n > 0) || n > 1 {
			t.Errorf("%s: tried is %v, and there are %d reasons why not", f.ID, tried[f.ID], n)
		}
		if tried[f.ID] && !ours[f.ID] && f.ID != "FR1" { // FR1 needs a limiter that gets the time from the caller
			t.Errorf("%s is not tried on Tandem", f.ID)
		}
	}
}

// FAULTS.md has every row of the list, and the present text.
func TestPageIsPresent(t *testing.T) {
	kept, err := os.ReadFile("../../FAULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults.All() {
		if !strings.Contains(string(kept), "\n| "+f.ID+" | "+f.Fault+" | ") {
			t.Errorf("no row of %s; make it again with go run ./cmd/survive -out FAULTS.md", f.ID)
		}
	}
	now, err := Page(nil)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(now) {
		if !strings.Contains(string(kept), line) && !strings.HasPrefix(line, "It was made with ") {
			t.Errorf("FAULTS.md is not made by this program: it lacks %s", line)
		}
	}
}

func TestTables(t *testing.T) {
	s := All()[0]
	s.Contract, s.Remark = "a | b", "but"
	p := page{{Scenario: s, Outcome: ByContract, Seen: Wrong, Detail: "7 of 9"}}
	for _, want := range []string{"|  | What goes wrong | " + s.Peer + " |", " by contract |", "wrong, 7 of 9 (documented: a \\| b); but\n"} {
		if !strings.Contains(p.Tables(), want) {
			t.Errorf("no %q in\n%s", want, p.Tables())
		}
	}
}

func TestCount(t *testing.T) {
	got := Count([]Result{
		{Scenario: Scenario{Peer: "x"}, Outcome: ByContract}, {Scenario: Scenario{Peer: "x"}, Outcome: Hangs},
		{Scenario: Scenario{Peer: "x"}, Outcome: Survives}, {Scenario: Scenario{Peer: tandem}, Outcome: Survives},
	})
	if want := "| tandem | 1 | 1 | 0 | 0 |\n| x | 3 | 1 | 1 | 1 |\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s", got)
	}
}
