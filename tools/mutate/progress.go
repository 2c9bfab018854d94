package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A progress shows how many mutants are done: as a bar on a terminal, elsewhere
// as a line for each.
type progress struct {
	out      io.Writer
	bar      *progressbar.ProgressBar // nil if out is no terminal
	done     int
	total    int
	survived int
}

func newProgress(out io.Writer, total int) *progress {
	p := &progress{out: out, total: total}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(out),
			progressbar.OptionSetWidth(20),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionSetSpinnerChangeInterval(0), // or a goroutine of it would draw after close
			progressbar.OptionSetDescription("0 survived"),
		)
	}
	return p
}

// add says that one more is done.
func (p *progress) add(v verdict) {
	p.done++
	if v.outcome == survived {
		p.survived++
	}
	if p.bar == nil {
		line := fmt.Sprintf("%*d of %d  %s: %s", len(fmt.Sprint(p.total)), p.done, p.total, v.id, v.outcome)
		if v.outcome == killed {
			line += " by " + v.by + " (" + v.stage.tests + ")"
		}
		fmt.Fprintln(p.out, line)
		return
	}
	p.bar.Describe(fmt.Sprintf("%d survived", p.survived))
	_ = p.bar.Add(1) // a bar that cannot be shown harms nothing
}

// close takes the bar away.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
