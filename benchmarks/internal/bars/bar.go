// Package bars says how fast is fast enough, and whether that is reached.
package bars

import (
	"fmt"
	"strconv"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// A Kind says what a bar holds against what.
type Kind int

const (
	// Faster wants the time of the fastest rival to be at least Limit times ours.
	Faster Kind = iota
	// Near wants our time to be at most Limit times that of the fastest rival.
	Near
	// AtMost wants a figure of ours to be at most Limit.
	AtMost
	// Growth wants our time to be at most Limit times ours in the case Base.
	Growth
)

// EveryCase stands for all cases of a work, of which the worst one counts.
const EveryCase = "*"

// A Bar is what Tandem is to reach in one case of a work.
type Bar struct {
	Row    string // what it belongs to, in the list of what was known beforehand
	Work   string
	Case   string
	Kind   Kind
	Limit  float64
	Rivals Rivals // for Faster and Near
	Metric string // for AtMost
	Base   string // for Growth
	Note   string // what has to be known to read it, if anything
	Why    string // why it falls short, printed only if it does
}

// Says returns what the bar wants, in words.
func (b Bar) Says() string {
	limit := strconv.FormatFloat(b.Limit, 'f', -1, 64)
	says := ""
	switch b.Kind {
	case Faster:
		says = fmt.Sprintf("at least %s× as fast as %s", limit, b.Rivals.Are)
	case Near:
		says = fmt.Sprintf("at most %s× the time of %s", limit, b.Rivals.Are)
	case AtMost:
		says = fmt.Sprintf("at most %s %s", limit, b.Metric)
	case Growth:
		says = fmt.Sprintf("at most %s× the time of %s", limit, b.Base)
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
	c := results.Case{Work: b.Work, Name: b.Case}
	if b.Case == EveryCase {
		c.Name = ""
	}
	return c.Title()
}
