package page_test

import (
	"os"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
	"github.com/tandemgo/tandem/benchmarks/internal/page"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

func write(t *testing.T, raw string, verdicts []bars.Verdict) (text string, files []string) {
	t.Helper()
	r, err := results.Read(strings.NewReader(raw), "raw")
	if err != nil {
		t.Fatal(err)
	}
	files, err = page.Write(t.TempDir(), r, verdicts)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(data), files
}

// A work that nobody has described, and one that Tandem does not do.
func TestUnknownWork(t *testing.T) {
	text, files := write(t, "round: 1\nBenchmarkNew/x=1/lib=tandem 1 5 ns/op\nBenchmarkOld/lib=a 1 5 ns/op\n", nil)
	for _, want := range []string{"## New\n\n**x=1**", "| **tandem** | 5 | 1 |", "## Old", "| a | 5 | – |", "There is none."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if len(files) != 1 {
		t.Errorf("files: %q", files)
	}
}

func TestLosses(t *testing.T) {
	var raw strings.Builder
	for _, round := range []string{"1", "2", "3", "4", "5", "6"} {
		raw.WriteString("round: " + round + "\n")
		raw.WriteString("BenchmarkFanMap/n=1/lib=tandem 1 20 ns/op 3 x-of-one 8 B/op 2 allocs/op\n")
		raw.WriteString("BenchmarkFanMap/n=1/lib=loop 1 1 ns/op 0 allocs/op\n")               // a floor
		raw.WriteString("BenchmarkFanMap/n=1/lib=tandem-x 1 2 ns/op 1 allocs/op\n")           // ours
		raw.WriteString("BenchmarkFanMap/n=1/lib=half 1 10 ns/op 4 B/op 1 allocs/op\n")       // faster
		raw.WriteString("BenchmarkFanMap/n=1/lib=quarter 1 5 ns/op 3 B/op 3 allocs/op\n")     // even more so
		raw.WriteString("BenchmarkFanMap/n=1/lib=more 1 99 ns/op 1.5 x-of-one 3 allocs/op\n") // better at one figure
		raw.WriteString("BenchmarkFanMap/n=1/lib=chance 1 1" + round + " ns/op 3 allocs/op\n")
		raw.WriteString("BenchmarkFanMap/n=2/lib=chance 1 1" + round + " ns/op\n")
		raw.WriteString("BenchmarkFanMap/n=2/lib=tandem 1 14 ns/op\n") // within the interval
	}
	text, _ := write(t, raw.String(), nil)
	_, losses, _ := strings.Cut(text, "## Where Tandem loses")
	_, got, _ := strings.Cut(losses, "---:|\n")
	want := `| FanMap, n=1 | quarter | ns/op | 5 | 20 | 4× |
| FanMap, n=1 | half | ns/op | 10 | 20 | 2× |
| FanMap, n=1 | more | x-of-one | 1.50 | 3 | 2× |
| FanMap, n=1 | chance | ns/op | 13.5 ± 19% | 20 | 1.48× (1.25–1.82) |

And these make do with fewer allocations, the fewest of each case:

| Case | Fewer | Its allocs/op | Tandem's |
|---|---|---:|---:|
| FanMap, n=1 | half | 1 | 2 |
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Why is told of the bars that fall short, and of no other.
func TestWhyABarFallsShort(t *testing.T) {
	b := bars.Bar{Row: "a row", Work: "Pool", Kind: bars.AtMost, Metric: "B/op"}
	short, holds := b, b
	short.Why, holds.Why = "it is hard", "it is easy"
	text, _ := write(t, "round: 1\nBenchmarkPool/lib=tandem 1 5 ns/op\n", []bars.Verdict{
		{Bar: short, State: bars.FallsShort}, {Bar: holds, State: bars.Holds},
	})
	if !strings.Contains(text, "\n- Pool, at most 0 B/op: it is hard\n") || strings.Contains(text, "easy") {
		t.Error(text)
	}
}

// The main figures take the place of those that were there.
func TestSummary(t *testing.T) {
	r, err := results.Read(strings.NewReader("module-pond: example.com/pond v1.0.0\nround: 1\n"+
		"BenchmarkPool/lib=tandem 1 5 ns/op\nBenchmarkPool/lib=pond 1 50 ns/op\nBenchmarkPool/lib=channels 1 10 ns/op\n"), "raw")
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- made by benchmarks/cmd/report -->\n", "<!-- end of what is made -->\n"
	name := t.TempDir() + "/README.md"
	for _, old := range []string{"", "old figures\n"} {
		if err := os.WriteFile(name, []byte("before\n"+begin+old+end+"after\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := page.Summarize(name, r); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		const row = "| pool: an empty task | **5** | 10 | – | 50 pond |\n" + end + "after\n"
		if text := string(got); !strings.HasPrefix(text, "before\n"+begin) || !strings.HasSuffix(text, row) || strings.Contains(text, "old") {
			t.Errorf("%s", text)
		}
	}
	if err := os.WriteFile(name, []byte(end+begin), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := page.Summarize(name, r); err == nil || !strings.Contains(err.Error(), "README.md must have a line") {
		t.Errorf("error %v", err)
	}
}
