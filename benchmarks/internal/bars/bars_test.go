package bars_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// measured has ten rounds in which ours takes 10 ns. What the others take goes up
// by one each round, from 20 ns for fast, from 60 for slow and from 9 for near, so
// the medians of the ratios are 2.45, 6.45 and 1.35.
func measured(t *testing.T) *results.Results {
	t.Helper()
	var raw strings.Builder
	raw.WriteString("module-fast: example.com/fast v1.0.0\nmodule-slow: example.com/slow v1.0.0\n")
	for round := range 10 {
		fmt.Fprintf(&raw, "round: %d\n", round+1)
		fmt.Fprintf(&raw, "BenchmarkX/n=1/lib=tandem-2 1 10 ns/op 0 B/op %d allocs/op\n", round%2)
		fmt.Fprintf(&raw, "BenchmarkX/n=1/lib=fast-2 1 %d ns/op\n", 20+round)
		fmt.Fprintf(&raw, "BenchmarkX/n=1/lib=slow-2 1 %d ns/op\n", 60+round)
		fmt.Fprintf(&raw, "BenchmarkX/n=1/lib=near-2 1 %d ns/op\n", 9+round)
		fmt.Fprintf(&raw, "BenchmarkX/n=2/lib=tandem-2 1 20 ns/op\n")
		fmt.Fprintf(&raw, "BenchmarkX/n=2/lib=near-2 1 4 ns/op\n")
	}
	r, err := results.Read(strings.NewReader(raw.String()), "raw")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerdicts(t *testing.T) {
	r := measured(t)
	libraries := bars.Rivals{Are: "all libraries"}
	only := func(name string) bars.Rivals { return bars.Rivals{Are: name, Names: []string{name}} }
	for _, test := range []struct {
		bar      bars.Bar
		want     string
		measured string
	}{
		// near is faster, but by hand.
		{bars.Bar{Kind: bars.Faster, Limit: 2, Rivals: libraries}, "holds", "2.45× (2.10–2.80), against fast"},
		{bars.Bar{Kind: bars.Faster, Limit: 2.4, Rivals: libraries}, "holds, on the line", ""},
		{bars.Bar{Kind: bars.Faster, Limit: 2.5, Rivals: libraries}, "falls short, on the line", ""},
		{bars.Bar{Kind: bars.Faster, Limit: 3, Rivals: libraries}, "falls short", ""},
		{bars.Bar{Kind: bars.Faster, Limit: 6, Rivals: only("slow")}, "holds", "6.45× (6.10–6.80), against slow"},
		{bars.Bar{Kind: bars.Faster, Limit: 2, Rivals: only("nobody")}, "not measured", "–"},

		{bars.Bar{Kind: bars.Near, Limit: 1.35, Rivals: only("near")}, "holds", ""},
		{bars.Bar{Kind: bars.Near, Limit: 0.8, Rivals: only("near")}, "holds, on the line", ""},
		{bars.Bar{Kind: bars.Near, Limit: 0.7, Rivals: only("near")}, "falls short, on the line", ""},
		{bars.Bar{Kind: bars.Near, Limit: 0.2, Rivals: only("near")}, "falls short", ""},
		{bars.Bar{Kind: bars.Near, Limit: 1.35, Rivals: only("nobody")}, "not measured", "–"},
		{bars.Bar{Case: bars.EveryCase, Kind: bars.Near, Limit: 1.5, Rivals: only("near")}, "falls short", "5×, against near at n=2"},
		{bars.Bar{Case: bars.EveryCase, Kind: bars.Faster, Limit: 1, Rivals: only("near")}, "falls short", "0.2×, against near at n=2"},
		{bars.Bar{Case: bars.EveryCase, Kind: bars.Near, Limit: 1, Rivals: only("nobody")}, "not measured", "–"},

		{bars.Bar{Kind: bars.AtMost, Limit: 0, Metric: results.Bytes}, "holds", "0 B/op"},
		{bars.Bar{Kind: bars.AtMost, Limit: 0.7, Metric: results.Allocs}, "holds, on the line", "0.5 allocs/op"},
		{bars.Bar{Kind: bars.AtMost, Limit: 0.2, Metric: results.Allocs}, "falls short, on the line", ""},
		{bars.Bar{Kind: bars.AtMost, Limit: 5, Metric: results.Time}, "falls short", "10 ns/op"},
		{bars.Bar{Kind: bars.AtMost, Limit: 5, Metric: "none/op"}, "not measured", "–"},

		{bars.Bar{Case: "n=2", Kind: bars.Growth, Limit: 2, Base: "n=1"}, "holds", "2×, against n=1"},
		{bars.Bar{Case: "n=2", Kind: bars.Growth, Limit: 1.9, Base: "n=1"}, "falls short", ""},
		{bars.Bar{Case: "n=2", Kind: bars.Growth, Limit: 2, Base: "n=0"}, "not measured", ""},
		{bars.Bar{Case: "n=3", Kind: bars.Growth, Limit: 2, Base: "n=1"}, "not measured", ""},
		{bars.Bar{Work: "Y", Case: bars.EveryCase, Kind: bars.Growth, Limit: 2, Base: "n=1"}, "not measured", ""},
	} {
		b := test.bar
		if b.Work == "" {
			b.Work = "X"
		}
		if b.Case == "" {
			b.Case = "n=1"
		}
		v := bars.Judge([]bars.Bar{b}, r)[0]
		if got := v.String(); got != test.want {
			t.Errorf("%s: %s (%s), want %s", b.Says(), got, v.Measured(), test.want)
		}
		if got := v.Measured(); test.measured != "" && got != test.measured {
			t.Errorf("%s: measured %q, want %q", b.Says(), got, test.measured)
		}
	}
}

func TestCount(t *testing.T) {
	got := bars.Count([]bars.Verdict{{State: bars.Holds}, {State: bars.NotMeasured}, {State: bars.FallsShort}, {State: bars.Holds}})
	if want := "Of 4 bars 2 hold and 1 fall short; 1 were not measured"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPatternRunsWhatTheBarsNeed(t *testing.T) {
	got := bars.Pattern([]bars.Bar{
		{Work: "Pool"}, {Work: "Pool", Kind: bars.AtMost},
		{Work: "Allow", Case: "answer=yes/procs=one"},
		{Work: "FanMap", Case: bars.EveryCase},
		{Work: "Send", Case: "n=1000", Kind: bars.Growth, Base: "n=1"},
	})
	want := "^BenchmarkPool$|^BenchmarkAllow$/^answer=yes$/^procs=one$|^BenchmarkFanMap$|^BenchmarkSend$/^n=1000$|^BenchmarkSend$/^n=1$"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What was known beforehand has these works; no row is left out.
func TestEveryRowHasABar(t *testing.T) {
	for _, row := range []string{
		"Pool, empty task", "the same, many submitters", "Pool with typed results", "Pipeline, 3 stages",
		"Ordered concurrent map", "fan.Map over 1,000 ints", "ratelimit.Allow", "broadcast, all delivered",
	} {
		if !slices.ContainsFunc(bars.All, func(b bars.Bar) bool { return strings.HasPrefix(b.Row, row) }) {
			t.Errorf("no bar is about %q", row)
		}
	}
}
