package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run runs the program in testdata/tiny, outside of any workspace.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "")
	var out, errs bytes.Buffer
	code = mutate(t.Context(), filepath.Join("testdata", "tiny"), args, &out, &errs)
	return code, out.String(), errs.String()
}

// outcomes returns the outcome of each mutant in what the program has reported.
func outcomes(stderr string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(stderr) {
		if m := regexp.MustCompile(`^\d+ of \d+  (\S+): (.*)\n$`).FindStringSubmatch(line); m != nil {
			all[m[1]] = m[2]
		}
	}
	return all
}

// A mutant is killed by a test, a hang, the explorer or the tests of a package that imports
// its package; or it does not compile, or survives.
func TestOutcomes(t *testing.T) {
	code, out, errs := run(t, "-explore", "-timeout=3s", "./counter", "./bare")
	want := map[string]string{
		"bare/bare.go:5:unbuffered":        "killed by a hang (plain)",
		"counter/counter.go:14:unbuffered": "killed by a hang (plain)",
		"counter/counter.go:18:lock":       survived,
		"counter/counter.go:20:unlock":     "killed by a hang (plain)",
		"counter/counter.go:21:signal":     "killed by a hang (plain)",
		"counter/counter.go:29:lock":       survived,
		"counter/counter.go:30:unlock":     "killed by a hang (plain)",
		"counter/counter.go:38:signal":     "killed by TestExploreClose (explore)",
		"counter/counter.go:38:wake-one":   notCompiled,
	}
	got := outcomes(errs)
	for id, outcome := range got { // with a timeout, the runtime may not detect that all goroutines sleep
		if strings.Contains(outcome, "asleep") {
			got[id] = "killed by a hang (plain)"
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s%s", d, errs)
	}
	for _, line := range []string{"plain      5 ", "explore    1 ", "Of 8 mutants that can be killed, 75.0% were"} {
		if code != 1 || !strings.Contains(out, line) {
			t.Errorf("exit status %d, want %q in\n%s", code, line, out)
		}
	}
}

// The report shows the reason of a mutant, does not count equivalent mutants, and names
// reasons without a mutant.
func TestReasons(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reasons")
	text := `# a comment

counter Counter.Add lock: c.mu.Lock()
	equivalent: the test has
	one goroutine
counter Counter.Big lock: c.mu.Lock()
	no test for it yet
counter Counter.Sub lock: c.mu.Lock()
	was here once
`
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run(t, "-reasons="+path, "-only=:lock|38:signal", "./counter")
	if code != 1 {
		t.Errorf("exit status %d\n%s", code, errs)
	}
	const want = `package  killed  survived  equivalent  not compiled  share
counter  0       2         1           0             0.0%

operator  killed  survived  equivalent  not compiled  share
lock      0       1         1           0             0.0%
signal    0       1         0           0             0.0%

killed by  killed  survived  equivalent  not compiled  share

Survivors without a reason:

- counter/counter.go:38:signal
  ` + "`counter Counter.Close signal: close(c.changed)`" + `

Survivors with a reason:

- counter/counter.go:29:lock
  ` + "`counter Counter.Big lock: c.mu.Lock()`" + `
  no test for it yet

Equivalent:

- counter/counter.go:18:lock
  ` + "`counter Counter.Add lock: c.mu.Lock()`" + `
  equivalent: the test has one goroutine

Reasons for mutants that there are not:

- ` + "`counter Counter.Sub lock: c.mu.Lock()`" + `

Of 2 mutants that can be killed, 0.0% were; at least 90% are asked for.
`
	if d := cmp.Diff(want, out); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// Wrong usage, failing runs and an interrupt exit with 2.
func TestMisuse(t *testing.T) {
	for args, want := range map[string]string{
		"":                                "no package is named",
		"-only=( ./counter":               "-only",
		"-parallel=0 ./counter":           "-parallel",
		"./nowhere":                       "go list",
		"-reasons=/nonexistent ./counter": "nonexistent",
	} {
		if code, _, errs := run(t, strings.Fields(args)...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%q: exit status %d\n%s", args, code, errs)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := mutate(ctx, filepath.Join("testdata", "tiny"), []string{"./counter"}, &out, &errs); code != 2 {
		t.Errorf("interrupted: exit status %d\n%s", code, &errs)
	}
}

// The file of reasons for Tandem can be read. A file with an empty or a repeated reason is
// rejected.
func TestReasonsFile(t *testing.T) {
	if all, err := readReasons("survivors.txt"); err != nil || len(all) < 20 {
		t.Errorf("%d reasons, error %v", len(all), err)
	}
	for _, text := range []string{"a\nb\n\treason\n", "a\n\tb\na\n\tb\n", "a\n"} {
		path := filepath.Join(t.TempDir(), "reasons")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := readReasons(path); err == nil || !strings.HasSuffix(err.Error(), "for a") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
