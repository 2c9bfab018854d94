package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
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

// outcomes returns what a JSON report says of each mutant.
func outcomes(t *testing.T, text string) map[string]string {
	t.Helper()
	var r struct {
		Mutants []struct{ Key, Outcome, Stage, By string }
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	all := map[string]string{}
	for _, m := range r.Mutants {
		all[m.Key] = m.Outcome
		if m.Outcome == killed {
			all[m.Key] += " by " + m.By
			if m.Stage != byTests {
				all[m.Key] += " (" + m.Stage + ")"
			}
		}
	}
	return all
}

// A mutant is killed, by a test or as it hangs, or does not compile, or survives.
func TestOutcomes(t *testing.T) {
	code, out, errs := run(t, "-json", "-timeout=3s", "./counter")
	if code != 1 {
		t.Fatalf("exit status %d\n%s", code, errs)
	}
	const sends = "select { case c.changed <- c.n: default: }"
	want := map[string]string{
		"counter New unbuffered: make(chan int, 1)":        "killed by fatal error: all goroutines are asleep - deadlock!",
		"counter Counter.Add lock: c.mu.Lock()":            survived,
		"counter Counter.Add unlock: c.mu.Unlock()":        "killed by a hang",
		"counter Counter.Add signal: " + sends:             "killed by a hang",
		"counter Counter.Big lock: c.mu.Lock()":            survived,
		"counter Counter.Big unlock: defer c.mu.Unlock()":  "killed by a hang",
		"counter Counter.Big compare: c.n >= 10":           survived,
		"counter Counter.Close signal: close(c.changed)":   survived,
		"counter Counter.Close wake-one: close(c.changed)": notCompiled,
	}
	got := outcomes(t, out)
	for key, outcome := range got { // with a timeout, the runtime may not see that all are asleep
		if strings.Contains(outcome, "asleep") {
			got[key] = "killed by a hang"
		}
	}
	want["counter New unbuffered: make(chan int, 1)"] = "killed by a hang"
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// A package that imports the mutated one may kill what its own tests let live.
func TestUsersKill(t *testing.T) {
	const key = "counter Counter.Big compare: c.n >= 10"
	_, out, errs := run(t, "-json", "-users", "-operators=compare", "./counter")
	if got := outcomes(t, out); got[key] != "killed by TestTen (users)" {
		t.Errorf("%v\n%s", got, errs)
	}
}

// The explorer is asked about whoever survives the plain tests, and the report says
// that it was the explorer.
func TestExplorerKills(t *testing.T) {
	args := []string{"-explore", "-operators=unbuffered,signal", "-only=New|Close", "-min=0", "-timeout=3s", "./counter"}
	_, out, errs := run(t, append([]string{"-json"}, args...)...)
	want := map[string]string{
		"counter New unbuffered: make(chan int, 1)":      "killed by a hang",
		"counter Counter.Close signal: close(c.changed)": "killed by TestExploreClose (explore)",
	}
	if d := cmp.Diff(want, outcomes(t, out)); d != "" {
		t.Errorf("(-want +got)\n%s%s", d, errs)
	}
	_, out, _ = run(t, args...)
	for _, line := range []string{"| plain     |       1 |", "| explore   |       1 |"} {
		if !strings.Contains(out, line) {
			t.Errorf("want %q in\n%s", line, out)
		}
	}
}

// A reason is shown with its mutant; one that says equivalent takes it out of
// the count; one for nothing is named.
func TestReasons(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reasons")
	text := `# a comment

counter Counter.Add lock: c.mu.Lock()
	equivalent: the test has
	one goroutine
counter Counter.Big lock: c.mu.Lock()
	nobody cares
counter Counter.Sub lock: c.mu.Lock()
	was here once
`
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run(t, "-reasons="+path, "-operators=lock,signal", "-only=Close|lock", "-min=0", "./counter")
	if code != 0 {
		t.Errorf("exit status %d\n%s", code, errs)
	}
	const want = `| package | killed | survived | equivalent | not compiled |  share |
|:--------|-------:|---------:|-----------:|-------------:|-------:|
| counter |      0 |        2 |          1 |            0 |   0.0% |

| operator | killed | survived | equivalent | not compiled |  share |
|:---------|-------:|---------:|-----------:|-------------:|-------:|
| lock     |      0 |        1 |          1 |            0 |   0.0% |
| signal   |      0 |        1 |          0 |            0 |   0.0% |

Survivors without a reason:

- counter/counter.go:38:signal
  ` + "`counter Counter.Close signal: close(c.changed)`" + `

Survivors with a reason:

- counter/counter.go:29:lock
  ` + "`counter Counter.Big lock: c.mu.Lock()`" + `
  nobody cares

Equivalent:

- counter/counter.go:18:lock
  ` + "`counter Counter.Add lock: c.mu.Lock()`" + `
  equivalent: the test has one goroutine

Reasons for mutants that there are not:

- ` + "`counter Counter.Sub lock: c.mu.Lock()`" + `

Of 2 concurrent mutants that can be killed, 0.0% were; at least 0% are asked for.
`
	if d := cmp.Diff(want, out); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

// The same seed takes the same sample; the seed is printed.
func TestSample(t *testing.T) {
	list := func(seed string) string {
		_, out, _ := run(t, "-list", "-sample=3", "-seed="+seed, "./counter")
		return out
	}
	first := list("1")
	if first != list("1") || strings.Count(first, "\n") != 3 {
		t.Errorf("got %q, then %q", first, list("1"))
	}
	code, out, errs := run(t, "-sample=1", "-seed=7", "-operators=compare", "./counter")
	if code != 0 || !strings.Contains(out, "-seed 7. 0 mutants were not tried") {
		t.Errorf("exit status %d\n%s%s", code, out, errs)
	}
}

// What is called wrongly, or cannot be run, is 2; an interrupt 130.
func TestMisuse(t *testing.T) {
	for args, want := range map[string]string{
		"":                                "no package is named",
		"-operators=none ./counter":       `there is no "none"`,
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
	if code := mutate(ctx, filepath.Join("testdata", "tiny"), []string{"./counter"}, &out, &errs); code != 130 {
		t.Errorf("interrupted: exit status %d\n%s", code, &errs)
	}
}

// The reasons that Tandem gives can be read.
func TestSurvivors(t *testing.T) {
	if _, err := readReasons("survivors.txt"); err != nil {
		t.Error(err)
	}
}

// A file of reasons that says nothing, or the same twice, is refused.
func TestBadReasons(t *testing.T) {
	for text, want := range map[string]string{
		"\ta reason\n":     ":1: a reason for nothing",
		"a\nb\n\treason\n": ":2: no reason for the one above",
		"a\n\tb\na\n\tb\n": ":3: the second reason for a",
		"a\n":              "no reason for a",
	} {
		path := filepath.Join(t.TempDir(), "reasons")
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := readReasons(path); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
