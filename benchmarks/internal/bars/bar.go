// Package bars has the limits that the figures must meet, and judges whether they do.
package bars

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// EveryCase stands for all cases of a work; the worst one counts.
const EveryCase = "*"

// A Bar is a requirement on Tandem in one case of a work. It limits a figure, or the
// quotient of two times: of a rival by ours, which must be at least Faster, or of ours by
// that of a rival or of another case, which must be at most AtMost.
type Bar struct {
	Work, Case     string
	Faster, AtMost float64
	Rivals         string // libraries, of which the fastest counts; empty for all of them
	Base           string // the case in which Tandem is compared with itself
	Metric         string // the figure that is at most AtMost
	Note           string // a note for readers, if needed
	Why            string // the reason for a miss, printed only then
}

// Says returns the requirement in words.
func (b Bar) Says() string {
	against := cmp.Or(strings.ReplaceAll(b.Rivals, " ", " or "), b.Base, "the fastest library")
	says := fmt.Sprintf("at most %v× the time of %s", b.AtMost, against)
	if b.Metric != "" {
		says = fmt.Sprintf("at most %v %s", b.AtMost, b.Metric)
	} else if b.Faster > 0 {
		says = fmt.Sprintf("at least %v× as fast as %s", b.Faster, against)
	}
	if b.Case == EveryCase {
		says += ", in every case"
	}
	if b.Note != "" {
		says += " (" + b.Note + ")"
	}
	return says
}

// Where returns the work and the case, in words.
func (b Bar) Where() string {
	return (&results.Case{Work: b.Work, Name: strings.TrimPrefix(b.Case, EveryCase)}).Title()
}

// A State says whether a bar holds.
type State string

const (
	NotMeasured State = "not measured" // our benchmark or those of all rivals are missing
	Holds       State = "holds"
	FallsShort  State = "falls short"
)

// An Outcome is a bar with what was measured for it.
type Outcome struct {
	Bar     Bar
	State   State
	Value   results.Summary // the value compared with the limit
	Against string          // the rival, the case or both; empty for a figure
}

// String returns the outcome in words. On the line means that the limit lies within the
// interval: other rounds could reverse it.
func (v Outcome) String() string {
	if v.State != NotMeasured && v.Value.Within(v.Bar.limit()) {
		return string(v.State) + ", on the line"
	}
	return string(v.State)
}

// Measured returns the value compared with the limit, in words.
func (v Outcome) Measured() string {
	switch {
	case v.State == NotMeasured:
		return "–"
	case v.Bar.Metric != "":
		return results.Figure(v.Value.Median) + " " + v.Bar.Metric
	}
	return v.Value.Times() + ", against " + v.Against
}

// Judge returns the outcomes of all bars, in their order.
func Judge(bars []Bar, r *results.Results) []Outcome {
	outcomes := make([]Outcome, len(bars))
	for i, b := range bars {
		outcomes[i] = b.judge(r)
	}
	return outcomes
}

// Count returns the number of bars in each state, in words.
func Count(outcomes []Outcome) string {
	n := map[State]int{}
	for _, v := range outcomes {
		n[v.State]++
	}
	return fmt.Sprintf("Of %d bars %d hold, %d fall short and %d were not measured",
		len(outcomes), n[Holds], n[FallsShort], n[NotMeasured])
}

func (b Bar) judge(r *results.Results) Outcome {
	if b.Case != EveryCase {
		return b.judgeCase(r, r.Case(b.Work, b.Case))
	}
	worst := Outcome{Bar: b, State: NotMeasured}
	for _, c := range r.Cases {
		if c.Work != b.Work {
			continue
		}
		v := b.judgeCase(r, c)
		v.Against += " at " + c.Name
		if v.State != NotMeasured && (worst.State == NotMeasured || b.reached(worst.Value.Median, v.Value.Median)) {
			worst = v
		}
	}
	return worst
}

func (b Bar) judgeCase(r *results.Results, c *results.Case) Outcome {
	v := Outcome{Bar: b, State: NotMeasured}
	ours := c.Ours().Figures
	switch {
	case b.Metric != "":
		v.Value = ours[b.Metric].Summary()
	case b.Base != "":
		v.Against = b.Base
		v.Value = ours[results.Time].Over(r.Case(b.Work, b.Base).Ours().Figures[results.Time])
	default:
		rivals := slices.DeleteFunc(c.Ranked(results.Time), func(l *results.Lib) bool { return !b.rival(l) })
		if len(rivals) == 0 {
			return v
		}
		v.Against = rivals[0].Name
		times, other := ours[results.Time], rivals[0].Figures[results.Time]
		if b.Faster > 0 {
			times, other = other, times
		}
		v.Value = times.Over(other)
	}
	switch {
	case v.Value.N == 0:
	case b.reached(v.Value.Median, b.limit()):
		v.State = Holds
	default:
		v.State = FallsShort
	}
	return v
}

func (b Bar) rival(l *results.Lib) bool {
	return b.Rivals == "" && l.Library() || slices.Contains(strings.Fields(b.Rivals), l.Name)
}

func (b Bar) limit() float64 { return b.Faster + b.AtMost }

// reached reports whether value meets limit.
func (b Bar) reached(value, limit float64) bool {
	if b.Faster > 0 {
		return value >= limit
	}
	return value <= limit
}

// Pattern returns the -bench pattern that selects exactly the benchmarks of bars.
func Pattern(bars []Bar) string {
	var patterns []string
	for _, b := range bars {
		cases := []string{b.Case}
		if b.Base != "" {
			cases = append(cases, b.Base)
		}
		for _, c := range cases {
			p := "^Benchmark" + b.Work + "$"
			if c != "" && c != EveryCase {
				p += "/^" + strings.ReplaceAll(regexp.QuoteMeta(c), "/", "$/^") + "$"
			}
			if !slices.Contains(patterns, p) {
				patterns = append(patterns, p)
			}
		}
	}
	return strings.Join(patterns, "|")
}
