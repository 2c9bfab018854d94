package bars

import (
	"fmt"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
	"github.com/tandemgo/tandem/benchmarks/internal/stats"
)

// A State is what became of a bar.
type State int

const (
	NotMeasured State = iota // a benchmark is missing, ours or all of the rivals'
	Holds
	FallsShort
)

// A Verdict says whether a bar is reached.
type Verdict struct {
	Bar     Bar
	State   State
	Value   stats.Summary // what is compared with the limit
	Against string        // the rival, the case or both; empty for AtMost
}

// Judge returns the verdicts of bars, in their order.
func Judge(bars []Bar, r *results.Results) []Verdict {
	verdicts := make([]Verdict, len(bars))
	for i, b := range bars {
		verdicts[i] = b.judge(r)
	}
	return verdicts
}

// OnTheLine reports whether the limit is within the interval: with other rounds
// the verdict could be the other one.
func (v Verdict) OnTheLine() bool { return v.Value.Within(v.Bar.Limit) }

// String returns the verdict in words.
func (v Verdict) String() string {
	s := "not measured"
	switch v.State {
	case Holds:
		s = "holds"
	case FallsShort:
		s = "falls short"
	}
	if v.State != NotMeasured && v.OnTheLine() {
		s += ", on the line"
	}
	return s
}

// Measured returns what is compared with the limit, in words.
func (v Verdict) Measured() string {
	switch {
	case v.State == NotMeasured:
		return "–"
	case v.Bar.Kind == AtMost:
		return fmt.Sprintf("%s %s", stats.Figure(v.Value.Median), v.Bar.Metric)
	}
	return v.Value.Times() + ", " + v.Against
}

func (b Bar) judge(r *results.Results) Verdict {
	w := r.Work(b.Work)
	if b.Case != EveryCase {
		return b.judgeCase(w, w.Case(b.Case))
	}
	worst := Verdict{Bar: b}
	if w == nil {
		return worst
	}
	for _, c := range w.Cases {
		v := b.judgeCase(w, c)
		if v.State == NotMeasured {
			continue
		}
		v.Against += " at " + c.Name
		if worst.State == NotMeasured || b.reached(worst.Value.Median, v.Value.Median) {
			worst = v
		}
	}
	return worst
}

func (b Bar) judgeCase(w *results.Work, c *results.Case) Verdict {
	v := Verdict{Bar: b}
	ours := c.Ours()
	if ours == nil {
		return v
	}
	switch b.Kind {
	case Faster, Near:
		rival := b.Rivals.fastest(c)
		if rival == nil {
			return v
		}
		v.Against = "against " + rival.Name
		if b.Kind == Faster {
			v.Value = rival.Figures[results.Time].Over(ours.Figures[results.Time])
		} else {
			v.Value = ours.Figures[results.Time].Over(rival.Figures[results.Time])
		}
	case AtMost:
		v.Value = ours.Summary(b.Metric)
	case Growth:
		base := w.Case(b.Base).Ours()
		if base == nil {
			return v
		}
		v.Against = "against " + b.Base
		v.Value = ours.Figures[results.Time].Over(base.Figures[results.Time])
	}
	switch {
	case v.Value.N == 0:
	case b.reached(v.Value.Median, b.Limit):
		v.State = Holds
	default:
		v.State = FallsShort
	}
	return v
}

// reached reports whether value is at limit or on the good side of it.
func (b Bar) reached(value, limit float64) bool {
	if b.Kind == Faster {
		return value >= limit
	}
	return value <= limit
}
