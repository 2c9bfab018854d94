package bars_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// measured has ten rounds in which ours takes 10 ns. The times of the others increase
// by one each round, from 20 ns for fast, from 60 for slow and from 9 for near, so the
// medians of the ratios are 2.45, 6.45 and 1.35.
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
	for _, test := range []struct {
		bar      bars.Bar
		want     string
		measured string
	}{
		// near is faster, but written by hand.
		{bars.Bar{Faster: 2}, "holds", "2.45× (2.10–2.80), against fast"},
		{bars.Bar{Faster: 2.4}, "holds, on the line", ""},
		{bars.Bar{Faster: 2.5}, "falls short, on the line", ""},
		{bars.Bar{Faster: 3}, "falls short", ""},
		{bars.Bar{Faster: 6, Rivals: "slow"}, "holds", "6.45× (6.10–6.80), against slow"},
		{bars.Bar{Faster: 2, Rivals: "none"}, "not measured", "–"},

		{bars.Bar{AtMost: 1.35, Rivals: "near"}, "holds", ""},
		{bars.Bar{AtMost: 0.8, Rivals: "near"}, "holds, on the line", ""},
		{bars.Bar{AtMost: 0.2, Rivals: "near"}, "falls short", ""},
		{bars.Bar{Case: bars.EveryCase, AtMost: 1.5, Rivals: "near"}, "falls short", "5×, against near at n=2"},
		{bars.Bar{Case: bars.EveryCase, Faster: 1, Rivals: "near"}, "falls short", "0.2×, against near at n=2"},
		{bars.Bar{Case: bars.EveryCase, AtMost: 1, Rivals: "none"}, "not measured", "–"},

		{bars.Bar{Metric: results.Bytes}, "holds", "0 B/op"},
		{bars.Bar{Metric: results.Allocs, AtMost: 0.7}, "holds, on the line", "0.5 allocs/op"},
		{bars.Bar{Metric: results.Time, AtMost: 5}, "falls short", "10 ns/op"},
		{bars.Bar{Metric: "none/op", AtMost: 5}, "not measured", "–"},

		{bars.Bar{Case: "n=2", AtMost: 2, Base: "n=1"}, "holds", "2×, against n=1"},
		{bars.Bar{Case: "n=2", AtMost: 1.9, Base: "n=1"}, "falls short", ""},
		{bars.Bar{Case: "n=2", AtMost: 2, Base: "n=0"}, "not measured", ""},
	} {
		b := test.bar
		b.Work = "X"
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

func TestPatternRunsWhatTheBarsNeed(t *testing.T) {
	got := bars.Pattern([]bars.Bar{
		{Work: "Pool"}, {Work: "Pool", Metric: results.Bytes},
		{Work: "Allow", Case: "answer=yes/procs=one"},
		{Work: "FanMap", Case: bars.EveryCase},
		{Work: "Send", Case: "n=1000", Base: "n=1"},
	})
	want := "^BenchmarkPool$|^BenchmarkAllow$/^answer=yes$/^procs=one$|^BenchmarkFanMap$|^BenchmarkSend$/^n=1000$|^BenchmarkSend$/^n=1$"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
