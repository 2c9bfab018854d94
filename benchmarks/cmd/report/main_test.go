package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/RESULTS.golden")

// The figures of testdata/raw.txt are made up: libraries at set ratios with some
// noise, on a machine that is slower in two of six rounds.
func TestReportOfKeptOutput(t *testing.T) {
	out := t.TempDir()
	var stdout, stderr strings.Builder
	if code := report(t.Context(), []string{"-from", "testdata/raw.txt", "-out", out}, &stdout, &stderr); code != 0 {
		t.Fatalf("code %d: %s", code, &stderr)
	}
	got, err := os.ReadFile(filepath.Join(out, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/RESULTS.golden"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "(end)", "(end)"
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Fatalf("line %d of RESULTS.md is\n%s\nwant\n%s\n(-update accepts it)", i+1, g, w)
		}
	}
	for _, want := range []string{"falls short ", "holds ", "on the line", "not measured", "RESULTS.md and 6 charts"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in what is printed:\n%s", want, &stdout)
		}
	}
	for line := range strings.Lines(string(got)) {
		if _, ref, ok := strings.Cut(line, "]("+"charts/"); ok {
			if _, err := os.Stat(filepath.Join(out, "charts", strings.TrimSuffix(ref, ")\n"))); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestBadFlags(t *testing.T) {
	for args, want := range map[string]string{
		"-nope":             "not defined: -nope",
		"all":               `unexpected argument "all"`,
		"-rounds 0":         "-rounds 0: must be at least 1",
		"-rounds x":         `"x"`,
		"-sweeps -1":        "-sweeps -1: must not be negative",
		"-benchtime 0s":     `-benchtime "0s": must be a positive duration, as 50ms, or a number of operations, as 100x`,
		"-benchtime x":      `-benchtime "x"`,
		"-bench (":          `-bench "("`,
		"-from f -rounds 3": "allows no -rounds",
		"-from f -raw g":    "allows no -raw",
	} {
		var stdout, stderr strings.Builder
		if code := report(t.Context(), strings.Fields(args), &stdout, &stderr); code != 2 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: code %d, %q; want 2, %q", args, code, &stderr, want)
		}
	}
}

func TestFailures(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.txt")
	if err := os.WriteFile(bad, []byte("round: 1\nBenchmarkPool 1 5 ns/op\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"-from nowhere.txt":                  "nowhere.txt",
		"-from " + bad:                       "bad.txt:2: Pool: its name has no lib=",
		"-from testdata/raw.txt -out " + bad: "-out: ",
	} {
		fields := strings.Fields(args)
		if !strings.Contains(args, "-out") {
			fields = append(fields, "-out", t.TempDir())
		}
		var stdout, stderr strings.Builder
		if code := report(t.Context(), fields, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: code %d, %q; want 1, %q", args, code, &stderr, want)
		}
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr strings.Builder
	if code := report(t.Context(), []string{"-help"}, &stdout, &stderr); code != 0 || !strings.Contains(stderr.String(), "usage: go run ./cmd/report") {
		t.Errorf("code %d: %s", code, &stderr)
	}
}

// A part of the figures takes the place of all of them only if it is asked to.
func TestWhatIsRunAndWritten(t *testing.T) {
	for args, want := range map[string]options{
		"":                              {rounds: 10, benchtime: "50ms", bench: ".", out: ".", sweeps: 3},
		"-rounds 3":                     {rounds: 3, benchtime: "50ms", bench: ".", out: ".", sweeps: 3},
		"-bench Pool":                   {rounds: 10, benchtime: "50ms", bench: "Pool"},
		"-bench Pool -out x":            {rounds: 10, benchtime: "50ms", bench: "Pool", out: "x"},
		"-quick -bench P -benchtime 5x": {quick: true, rounds: 3, benchtime: "5x", bench: "P"},
		"-from f":                       {rounds: 10, benchtime: "50ms", bench: ".", out: ".", from: "f", sweeps: 3},
	} {
		got, err := parse(strings.Fields(args), os.Stderr)
		if err != nil || got != want {
			t.Errorf("%s: %+v, error %v; want %+v", args, got, err, want)
		}
	}
	quick, err := parse([]string{"-quick"}, os.Stderr)
	if err != nil || quick.rounds != 3 || quick.benchtime != "10ms" || quick.out != "" || !strings.Contains(quick.bench, "^BenchmarkPool$") {
		t.Errorf("-quick: %+v, error %v", quick, err)
	}
	if got, want := quick.command(), "go run ./cmd/report -quick -rounds 3 -benchtime 10ms"; got != want {
		t.Errorf("command: %q, want %q", got, want)
	}
	if got, want := (options{rounds: 1, benchtime: "1s", bench: "a'b"}).command(), `go run ./cmd/report -rounds 1 -benchtime 1s -bench 'a'\''b'`; got != want {
		t.Errorf("command: %q, want %q", got, want)
	}
}
