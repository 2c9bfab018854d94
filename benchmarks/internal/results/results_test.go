package results_test

import (
	"math"
	"strings"
	"testing"

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
BenchmarkFanMap/n=10/lib=loop-2	100	1 ns/op
BenchmarkPool/lib=ro-observe-on-8	100	9 ns/op
PASS
round: 2
BenchmarkFanMap/n=10/lib=tandem-2	100	13.5 ns/op
round: 3
BenchmarkGrowth/pkg=pool/n=10/lib=tandem	100	3 ns/item
BenchmarkGrowth/pkg=pool/n=10/lib=tandem-2	100	2 ns/item
`

func TestRead(t *testing.T) {
	r, err := results.Read(strings.NewReader(raw), "raw")
	if err != nil {
		t.Fatal(err)
	}
	if r.Facts["commit"] != "abc" || r.Facts["cpu"] != "some" || r.Rounds != 2 {
		t.Errorf("%d rounds, facts %v", r.Rounds, r.Facts)
	}
	c := r.Case("FanMap", "n=10")
	for metric, want := range map[string]float64{results.Time: 13, results.Bytes: 7, results.Parks: 0.25, "p50-wait-ns": 77} {
		if got := c.Ours().Median(metric); got != want {
			t.Errorf("%s: %v, want %v", metric, got, want)
		}
	}
	if got := r.Case("Growth", "pkg=pool/n=10/procs=2").Ours().Median("ns/item"); got != 2 {
		t.Errorf("%v ns/item on two processors, want 2", got)
	}
	if len(r.Case("Pool", "").Lib("ro-observe-on").Figures) == 0 {
		t.Error("a name with dashes was cut")
	}
	if len(r.Case("Nope", "n=1").Ours().Figures) != 0 {
		t.Error("a missing case has figures")
	}
	var names strings.Builder
	for _, l := range c.Ranked(results.Time) {
		names.WriteString(l.Name + " ")
	}
	if names.String() != "loop tandem pond " || !c.Lib("loop").Floor() || !c.Lib("pond").Library() || c.Ours().Library() {
		t.Errorf("ranked %s", names.String())
	}
}

func TestReadReportsErrors(t *testing.T) {
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

// The second and the second last of ten values are the ends of the interval: the
// probability that fewer than two of ten lie on one side of the median is 1.1 % for
// each side, and for fewer than three it would be 5.5 %.
func TestSummary(t *testing.T) {
	s := results.Series{1: 9, 2: 1, 3: 8, 4: 2, 5: 7, 6: 3, 7: 6, 8: 4, 9: 5, 10: 100}.Summary()
	if s != (results.Summary{Median: 5.5, Lo: 2, Hi: 9, N: 10}) || !s.Within(8) || s.Within(9) || s.Within(1) {
		t.Errorf("got %+v", s)
	}
	if got, times := s.String(), s.Times(); got != "5.50 ± 64%" || times != "5.50× (2–9)" {
		t.Errorf("got %q, %q", got, times)
	}
	s = results.Series{1: 1, 2: 2, 3: 3, 4: 4, 5: 5}.Summary() // too few for an interval
	if s.Median != 3 || s.Bounded() || s.Within(3) || s.String() != "3" || s.Times() != "3×" {
		t.Errorf("got %+v, %v, %q", s, s, s.Times())
	}
	if s := (results.Series{}).Summary(); !math.IsNaN(s.Median) || s.Bounded() || s.Times() != "–" {
		t.Errorf("of nothing: %+v", s)
	}
}

// The machine is three times as slow in some rounds, for both: the ratio within rounds
// shows no change, the quotient of the medians would.
func TestRatioIsTakenRoundByRound(t *testing.T) {
	ours, peer := results.Series{}, results.Series{}
	for round, speed := range []float64{1, 1, 3, 3, 1, 1, 3} {
		ours[round], peer[round] = 10*speed, 25*speed
	}
	peer[7] = 1000             // a round of only one
	ours[8], peer[8] = 0, 1000 // a round without a ratio
	if s := peer.Over(ours); s != (results.Summary{Median: 2.5, Lo: 2.5, Hi: 2.5, N: 7}) {
		t.Errorf("got %+v", s)
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 1000: "1,000", -1234567: "-1,234,567", 0.0021: "0.0021", 0.9997: "1.00", 0.12345: "0.123",
		6.5: "6.50", 9.999: "10.0", 40.25: "40.2", 99.96: "100", 123.4: "123", 12345.6: "12,346",
	} {
		if got := results.Figure(v); got != want {
			t.Errorf("Figure(%v) is %q, want %q", v, got, want)
		}
	}
}
