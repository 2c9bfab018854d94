package rounds

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/tandemgo/tandem/benchmarks/internal/results"
)

// Progress shows how far the rounds are: as a bar on a terminal, elsewhere as a
// line for each round.
type Progress struct {
	out      io.Writer
	terminal bool
	first    string // what the first round is
	rounds   int    // besides the first
	begun    time.Time

	bar  *progressbar.ProgressBar
	done int // benchmarks, in all rounds
	each int // benchmarks in a round
}

// NewProgress returns a Progress of so many rounds besides the first, and says
// what that is.
func NewProgress(out io.Writer, terminal bool, first string, rounds int) *Progress {
	return &Progress{out: out, terminal: terminal, first: first, rounds: rounds, begun: time.Now()}
}

// Round says that a round begins.
func (p *Progress) Round(n int) {
	if n == results.ParksRound+1 {
		p.each = p.done
	}
	if !p.terminal {
		what := fmt.Sprintf("round %d of %d", n, p.rounds)
		if n == results.ParksRound {
			what = p.first
		}
		fmt.Fprintf(p.out, "%5s  %s\n", time.Since(p.begun).Round(time.Second), what)
		return
	}
	if n > results.ParksRound+1 {
		return // the bar goes on
	}
	total := -1 // how many there are is known after one round
	if n > results.ParksRound {
		total = p.each * (p.rounds + 1)
		_ = p.bar.Exit()
	}
	p.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetWidth(20),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetSpinnerChangeInterval(0), // or a goroutine of it would draw after Close
		progressbar.OptionSetDescription(description(p.first)),
	)
	_ = p.bar.Set(p.done) // a bar that cannot be shown harms nothing
}

// Running says which benchmark is measured.
func (p *Progress) Running(name string) {
	if p.bar != nil {
		p.bar.Describe(description(name))
	}
}

// Done says that one more benchmark is done.
func (p *Progress) Done() {
	p.done++
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}

// Close takes the bar away.
func (p *Progress) Close() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// description is as long for every name, so that the bar stands still.
func description(name string) string {
	const width = 44
	name = strings.TrimPrefix(name, "Benchmark")
	if len(name) > width {
		name = name[:width-1] + "…"
	}
	return fmt.Sprintf("%-*s", width, name)
}
