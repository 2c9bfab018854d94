package page

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// A loss is listed for each figure by which libraries are ranked, also where theirs is 0,
// but neither to a floor nor to another form of Tandem, nor if it may be chance.
func TestLosses(t *testing.T) {
	var raw strings.Builder
	for round := 1; round <= 6; round++ {
		fmt.Fprintf(&raw, "round: %d\n", round)
		raw.WriteString("BenchmarkFanMap/n=1/lib=tandem 1 20 ns/op 3 x-of-one 8 B/op 2 allocs/op\n")
		raw.WriteString("BenchmarkFanMap/n=1/lib=loop 1 1 ns/op 0 allocs/op\n")               // a floor
		raw.WriteString("BenchmarkFanMap/n=1/lib=tandem-x 1 2 ns/op 1 allocs/op\n")           // ours
		raw.WriteString("BenchmarkFanMap/n=1/lib=half 1 10 ns/op 4 B/op 0 allocs/op\n")       // faster
		raw.WriteString("BenchmarkFanMap/n=1/lib=more 1 99 ns/op 1.5 x-of-one 3 allocs/op\n") // better at one figure
		fmt.Fprintf(&raw, "BenchmarkFanMap/n=1/lib=chance 1 1%d ns/op 3 allocs/op\n", round)
		fmt.Fprintf(&raw, "BenchmarkFanMap/n=2/lib=chance 1 1%d ns/op\n", round)
		raw.WriteString("BenchmarkFanMap/n=2/lib=tandem 1 14 ns/op\n") // within the interval
	}
	r, err := results.Read(strings.NewReader(raw.String()), "raw")
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(page{Results: r}.Losses(), "---:|\n")
	want := `| FanMap, n=1 | half | ns/op | 10 | 20 | 2× |
| FanMap, n=1 | more | x-of-one | 1.50 | 3 | 2× |
| FanMap, n=1 | chance | ns/op | 13.5 ± 19% | 20 | 1.48× (1.25–1.82) |
| FanMap, n=1 | half | allocs/op | 0 | 2 | – |
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Each benchmark has a section in the page, except for the sweeps.
func TestThePageHasEveryWork(t *testing.T) {
	files, err := filepath.Glob("../../*_test.go")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func Benchmark(\w+)`).FindAllStringSubmatch(string(text), -1) {
			if !(&results.Case{Work: m[1]}).Sweep() && !strings.Contains(resultsText, `"`+m[1]+`"`) {
				t.Errorf("%s is not in results.tmpl", m[1])
			}
		}
	}
}
