package rounds_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandemgo/tandem/benchmarks/internal/rounds"
)

// fake makes this program behave like one of benchmarks, in the way it says.
const fake = "TANDEM_FAKE_BENCHMARKS"

func TestMain(m *testing.M) {
	args := strings.Join(os.Args[1:], " ")
	switch os.Getenv(fake) {
	case "":
		os.Exit(m.Run())
	case "well":
		fmt.Printf("goos: linux\nBenchmarkA/lib=x-2 \t 100\t 5 ns/op\nBenchmarkA/lib=y-2 \t 100\t 6 ns/op\nPASS\n")
		fmt.Fprintln(os.Stderr, "args:", args)
	case "failing":
		fmt.Printf("BenchmarkA/lib=x-2 \t 100\t 5 ns/op\nBenchmarkA/lib=y-2 \t--- FAIL: BenchmarkA/lib=y\n    a_test.go:7: 3 are missing\nFAIL\n")
		os.Exit(1)
	case "hanging":
		fmt.Printf("BenchmarkA/lib=x-2 \t")
		select {}
	case "empty":
		fmt.Println("PASS")
	}
}

func plan(t *testing.T, behaviour string) rounds.Plan {
	t.Helper()
	t.Setenv(fake, behaviour)
	return rounds.Plan{Binary: os.Args[0], Bench: "A|B", Benchtime: "7ms", Rounds: 2}
}

// seen notes what a Watcher is told.
type seen struct {
	events  []string
	running func()
}

func (s *seen) Round(n int) { s.events = append(s.events, fmt.Sprint("round ", n)) }
func (s *seen) Done()       { s.events = append(s.events, "done") }
func (s *seen) Running(name string) {
	s.events = append(s.events, name)
	if s.running != nil {
		s.running()
	}
}

func TestSweeps(t *testing.T) {
	p := plan(t, "well")
	var raw bytes.Buffer
	var watch seen
	if err := (rounds.Sweeps{Binary: p.Binary, Times: 2}).Run(t.Context(), &raw, &watch); err != nil {
		t.Fatal(err)
	}
	const args = "args: -test.run ^$ -test.bench ^BenchmarkGrowth(Work|Section)?$ -test.benchtime 1x -test.cpu 1,2,8\n"
	if got := strings.Count(raw.String(), args); got != 2 {
		t.Errorf("%d times %q in\n%s", got, args, &raw)
	}
}

func TestRuns(t *testing.T) {
	var raw bytes.Buffer
	var watch seen
	if err := plan(t, "well").Run(t.Context(), &raw, &watch); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"round: 0\n", "round: 1\n", "round: 2\n", "BenchmarkA/lib=y-2 \t 100\t 6 ns/op\n",
		"args: -test.run ^$ -test.bench A|B -test.skip ^BenchmarkGrowth(Work|Section)?$ -test.benchtime 1x -parks\n",
		"args: -test.run ^$ -test.bench A|B -test.skip ^BenchmarkGrowth(Work|Section)?$ -test.benchtime 7ms\n",
	} {
		if !strings.Contains(raw.String(), want) {
			t.Errorf("%q is not in the raw output:\n%s", want, &raw)
		}
	}
	var want []string
	for round := range 3 {
		want = append(want, fmt.Sprint("round ", round), "BenchmarkA/lib=x-2", "done", "BenchmarkA/lib=y-2", "done")
	}
	if !slices.Equal(watch.events, want) {
		t.Errorf("watched %q, want %q", watch.events, want)
	}
}

func TestTellsWhatFailed(t *testing.T) {
	err := plan(t, "failing").Run(t.Context(), io.Discard, &seen{})
	failed, ok := errors.AsType[*rounds.FailedError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if text := failed.Error(); failed.Round != 0 || !strings.Contains(text, "lib=y") || !strings.Contains(text, "3 are missing") || strings.Contains(text, "ns/op") {
		t.Errorf("round %d: %s", failed.Round, text)
	}
}

func TestTellsThatNothingMatches(t *testing.T) {
	err := plan(t, "empty").Run(t.Context(), io.Discard, &seen{})
	if err == nil || !strings.Contains(err.Error(), `no benchmark matches "A|B"`) {
		t.Errorf("got %v", err)
	}
}

func TestEndsTheProcessWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := time.Now()
	err := plan(t, "hanging").Run(ctx, io.Discard, &seen{running: cancel})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestProgressIsALineForEachRound(t *testing.T) {
	var out strings.Builder
	p := rounds.NewProgress(&out, false, "warming up and counting parks", 2)
	if err := plan(t, "well").Run(t.Context(), io.Discard, p); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if got := strings.Count(out.String(), "\n"); got != 3 || !strings.Contains(out.String(), "round 2 of 2") {
		t.Errorf("%d lines, want 3:\n%s", got, &out)
	}
}

// On a terminal, the total is known after the first round.
func TestProgressIsABarOnATerminal(t *testing.T) {
	var out strings.Builder
	p := rounds.NewProgress(&out, true, "warming up and counting parks", 2)
	for round := range 3 {
		p.Round(round)
		for _, lib := range []string{"x", "y"} {
			p.Running("BenchmarkWithANameThatIsLongerThanThereIsRoomForOnOneLine/lib=" + lib)
			p.Done()
		}
	}
	p.Close()
	for _, want := range []string{"WithANameThat", "…", "(5/6"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %q", want, &out)
		}
	}
}
