package rounds

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// fake is the environment variable that makes this program behave like a benchmark binary.
const fake = "TANDEM_FAKE_BENCHMARKS"

func TestMain(m *testing.M) {
	switch os.Getenv(fake) {
	case "":
		os.Exit(m.Run())
	case "well":
		fmt.Printf("goos: linux\nBenchmarkA/lib=x-2 \t 100\t 5 ns/op\nPASS\n")
		fmt.Fprintln(os.Stderr, "args:", strings.Join(os.Args[1:], " "))
	case "failing":
		fmt.Printf("BenchmarkA/lib=y-2 \t--- FAIL: BenchmarkA/lib=y\n    a_test.go:7: 3 are missing\nFAIL\n")
		os.Exit(1)
	case "hanging":
		fmt.Printf("BenchmarkA/lib=x-2 \t")
		select {}
	case "empty":
		fmt.Println("PASS")
	}
}

func plan(t *testing.T, behaviour string) Plan {
	t.Helper()
	t.Setenv(fake, behaviour)
	return Plan{Binary: os.Args[0], Bench: "A|B", Benchtime: "7ms", Rounds: 2, Sweeps: 2}
}

func TestRuns(t *testing.T) {
	var raw, progress bytes.Buffer
	if err := plan(t, "well").Run(t.Context(), &raw, &progress); err != nil {
		t.Fatal(err)
	}
	const skip = "args: -test.run ^$ -test.bench A|B -test.skip ^BenchmarkGrowth(Work)?$ -test.benchtime "
	for want, times := range map[string]int{
		"round: 0\n": 1, "round: 1\n": 2, "round: 2\n": 2, "BenchmarkA/lib=x-2 \t 100\t 5 ns/op\n": 5,
		skip + "1x -parks\n": 1, skip + "7ms\n": 2,
		"-test.bench ^BenchmarkGrowth(Work)?$ -test.benchtime 1x -test.cpu 1,": 2,
	} {
		if got := strings.Count(raw.String(), want); got != times {
			t.Errorf("%d times %q, want %d, in the raw output:\n%s", got, want, times, &raw)
		}
	}
	if got := progress.String(); strings.Count(got, "\n") != 5 || !strings.Contains(got, "round 2 of 2\n") {
		t.Errorf("progress:\n%s", got)
	}
	if got := cpus(2) + " " + cpus(6); got != "1,2,8 1,2,4,6,24" {
		t.Errorf("GOMAXPROCS are %s", got)
	}
}

func TestFailures(t *testing.T) {
	for behaviour, want := range map[string]string{"failing": "3 are missing", "empty": `no benchmark matches "A|B"`} {
		if err := plan(t, behaviour).Run(t.Context(), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", behaviour, err)
		}
	}
}

// canceler ends a context at the first output of a benchmark.
type canceler context.CancelFunc

func (c canceler) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("Benchmark")) {
		c()
	}
	return len(p), nil
}

func TestTheProcessEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := plan(t, "hanging").Run(ctx, canceler(cancel), io.Discard); err == nil || !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFactsAreRead(t *testing.T) {
	var raw bytes.Buffer
	if err := Describe(t.Context(), &raw, "a command: with -bench 'a|b'"); err != nil {
		t.Fatal(err)
	}
	raw.WriteString("round: 1\nBenchmarkA/lib=x 1 5 ns/op\n")
	r, err := results.Read(&raw, "raw")
	if err != nil {
		t.Fatal(err)
	}
	if r.Facts["command"] != "a command: with -bench 'a|b'" || r.Facts["cores"] == "" || !strings.Contains(r.Facts["go-version"], "go1") {
		t.Errorf("facts: %v", r.Facts)
	}
}
