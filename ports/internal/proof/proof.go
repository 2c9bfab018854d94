// Package proof has the measures that the ports have in common: the lines of both shapes, their throughput
// in pairs, and whether a situation gets stuck.
package proof

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Lines checks that the folder after has at most the given share of the lines of the folder
// before, without comments and blanks, and that the row of the port in the table of all ports
// has both figures.
func Lines(t *testing.T, most float64) {
	t.Helper()
	before, after := len(lines(t, "before")), len(lines(t, "after"))
	share := float64(after) / float64(before)
	t.Logf("before %d lines, after %d: %.0f %%", before, after, 100*share)
	if share > most {
		t.Errorf("the Tandem shape has %.0f %% of the lines, want at most %.0f", 100*share, 100*most)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, _ := strings.Cut(string(table), "\n| ["+filepath.Base(dir)+"]")
	row, _, _ = strings.Cut(row, "\n")
	if want := fmt.Sprintf("| %d | %d | %.0f %% |", before, after, 100*share); !strings.Contains(row, want) {
		t.Errorf("its row in ports/README.md lacks %q", want)
	}
}

// lines returns the lines of a folder without comments, blanks and the tabs in front.
func lines(t *testing.T, folder string) (all []string) {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", folder, len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				all = append(all, line)
			}
		}
	}
	return all
}

// Paired runs both shapes for n operations each, in turns, and reports the time of one
// operation of each shape and the median of the ratios of their throughputs.
func Paired(b *testing.B, n int, before, after func(b *testing.B, n int)) {
	var ratios, olds, news []float64
	clock := func(f func(*testing.B, int)) float64 {
		start := time.Now()
		f(b, n)
		return float64(time.Since(start)) / float64(n)
	}
	for b.Loop() {
		o, w := clock(before), clock(after)
		olds, news, ratios = append(olds, o), append(news, w), append(ratios, o/w)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(olds), "before-ns")
	b.ReportMetric(median(news), "after-ns")
	b.ReportMetric(median(ratios), "x")
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// Stuck reports whether f has not returned after an hour, of the time of the bubble that it
// is called in. It returns a function that waits for f, which must not be stuck any more by
// then.
func Stuck(f func()) (stuck bool, join func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	synctest.Wait()
	select {
	case <-done:
	case <-time.After(time.Hour):
		stuck = true
	}
	return stuck, func() { <-done }
}

// At checks that a goroutine is in calls of all these functions.
func At(t *testing.T, frames ...string) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if !slices.ContainsFunc(frames, func(f string) bool { return !strings.Contains(stack, f) }) {
			return
		}
	}
	t.Errorf("no goroutine is in all of %q:\n%s", frames, stacks)
}

// Page checks that the section of docs/ports.md with the given title shows a diff, and that
// its lines are in the code: those with a minus in the folder before, those with a plus in
// the folder after, the others in one of them.
func Page(t *testing.T, title string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "ports.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## "+title+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	_, diff, _ := strings.Cut(section, "\n```diff\n")
	diff, _, found := strings.Cut(diff, "\n```")
	if !found {
		t.Fatalf("docs/ports.md: section %q has no diff", title)
	}
	old, now := code(t, "before"), code(t, "after")
	for line := range strings.Lines(diff) {
		text := strings.TrimSpace(line[1:])
		ok := map[byte]bool{'-': old[text], '+': now[text], ' ': old[text] || now[text], '\n': true}[line[0]]
		if !ok && text != "…" && text != "" {
			t.Errorf("docs/ports.md: not in the code: %s", line)
		}
	}
}

// code returns the lines of code of a folder, without the tabs in front of them.
func code(t *testing.T, folder string) map[string]bool {
	all := map[string]bool{}
	for _, line := range lines(t, folder) {
		all[line] = true
	}
	return all
}

const (
	child = "PORTS_HANGS" // names the test that the process runs for Hangs
	stuck = "ports: nothing has happened for seconds"
)

// Hangs checks that iterate gets stuck sooner or later, in frames of these functions. It runs
// it again and again in a process of its own, which a deadlock cannot outlive.
func Hangs(t *testing.T, iterate func(*testing.T), frames ...string) {
	t.Helper()
	if os.Getenv(child) == t.Name() {
		var count atomic.Int64
		go func() {
			for last, idle := int64(-1), 0; idle < 2; time.Sleep(time.Second) {
				if n := count.Load(); n != last {
					last, idle = n, 0
				} else {
					idle++
				}
			}
			fmt.Println(stuck)
			stacks := make([]byte, 1<<20)
			_, _ = os.Stdout.Write(stacks[:runtime.Stack(stacks, true)])
			os.Exit(3)
		}()
		for range 100_000 {
			iterate(t)
			count.Add(1)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.timeout", "60s")
	cmd.Env = append(os.Environ(), child+"="+t.Name(), "GOTRACEBACK=all")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), stuck) && !strings.Contains(string(out), "all goroutines in bubble are blocked") {
		t.Fatalf("it does not hang: %v\n%s", err, out)
	}
	for _, f := range frames {
		if !strings.Contains(string(out), f) {
			t.Errorf("it hangs, but not in %s:\n%s", f, out)
		}
	}
}
