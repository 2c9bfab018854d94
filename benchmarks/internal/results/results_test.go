package results_test

import (
	"strings"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/machine"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

const raw = `commit: abc
module-pond: example.com/pond/v2 v2.1.0
round: 0
cpu: some
BenchmarkFanMap/n=10/lib=tandem-2	1	5 ns/op	0.25 parks/op
round: 1
BenchmarkFanMap/n=10/lib=tandem-2	100	12.5 ns/op	7 B/op	77 p50-wait-ns
BenchmarkFanMap/lib=pond/n=10-2	100	1000 ns/op
BenchmarkFanMap/n=10/lib=tandem-all-2	100	9 ns/op
BenchmarkFanMap/n=10/lib=loop-2	100	1 ns/op
BenchmarkPool/lib=ro-observe-on-8	100	9 ns/op
PASS
round: 2
BenchmarkFanMap/n=10/lib=tandem-2	100	13.5 ns/op
`

func TestRead(t *testing.T) {
	r, err := results.Read(strings.NewReader(raw), "raw")
	if err != nil {
		t.Fatal(err)
	}
	if r.Facts.Commit != "abc" || r.Facts.CPU != "some" || r.Facts.Modules[0] != (machine.Module{Lib: "pond", Path: "example.com/pond/v2", Version: "v2.1.0"}) {
		t.Errorf("facts: %+v", r.Facts)
	}
	if r.Rounds() != 2 {
		t.Errorf("%d rounds, want 2", r.Rounds())
	}
	c := r.Work("FanMap").Case("n=10")
	ours := c.Ours()
	for metric, want := range map[string]float64{results.Time: 13, results.Bytes: 7, results.Parks: 0.25, "p50-wait-ns": 77} {
		if got := ours.Median(metric); got != want {
			t.Errorf("%s: %v, want %v", metric, got, want)
		}
	}
	if r.Work("Pool").Case("").Lib("ro-observe-on") == nil {
		t.Error("a name with dashes was cut")
	}
	if r.Work("Nope").Case("n=1").Ours().Summary(results.Time).N != 0 {
		t.Error("there is something of what is missing")
	}
	for name, want := range map[string][3]bool{ // ours, floor, library
		"tandem": {true, false, false}, "tandem-all": {true, false, false},
		"loop": {false, true, false}, "pond": {false, false, true},
	} {
		l := c.Lib(name)
		if got := [3]bool{l.Ours(), l.Floor(), l.Library()}; got != want {
			t.Errorf("%s: ours, floor, library: %v, want %v", name, got, want)
		}
	}
}

func TestReadTellsWhatIsWrong(t *testing.T) {
	for in, want := range map[string]string{
		"":                                      "no result",
		"BenchmarkPool/lib=a-2 1 2 ns/op\n":     `raw:1: Pool/lib=a-2: round: "", want a number`,
		"round: 1\nBenchmarkPool-2 1 2 ns/op\n": "raw:2: Pool-2: its name has no lib=",
		"round: 1\nBenchmarkPool/lib=a 1 x ns/op\n":                                "raw:2",
		"round: 1\nBenchmarkPool/lib=a 1 2 ns/op\nBenchmarkPool/lib=a 1 2 ns/op\n": "raw:3: Pool/lib=a: ns/op is given twice in round 1",
	} {
		if _, err := results.Read(strings.NewReader(in), "raw"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestRanking(t *testing.T) {
	const raw = `round: 1
BenchmarkX/lib=a 1 3 ns/op 9 max-wait-ns 4 x-of-one
BenchmarkX/lib=b 1 2 ns/op 2 x-of-one
BenchmarkX/lib=c 1 4 B/op
BenchmarkY/lib=a 1 5 B/op 4 granted 3 cpu-s/s
BenchmarkZ/lib=a 1 4 granted
`
	r, err := results.Read(strings.NewReader(raw), "raw")
	if err != nil {
		t.Fatal(err)
	}
	x := r.Work("X").Case("")
	order := func(metric string) (names string) {
		for _, l := range x.Ranked(metric) {
			names += l.Name
		}
		return names
	}
	for metric, want := range map[string]string{"ns/op": "bac", "x-of-one": "bac", "max-wait-ns": "abc", "B/op": "cab"} {
		if got := order(metric); got != want {
			t.Errorf("by %s: %s, want %s", metric, got, want)
		}
	}
	for work, want := range map[string]string{"X": "ns/op", "Y": "cpu-s/s", "Z": ""} {
		if got := r.Work(work).Case("").Metric(); got != want {
			t.Errorf("%s is ranked by %q, want %q", work, got, want)
		}
	}
}
