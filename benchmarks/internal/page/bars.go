package page

import (
	"slices"

	"github.com/tandemgo/tandem/benchmarks/internal/bars"
)

func (p *page) bars() error {
	p.say("## Bars\n\n")
	p.say("What was aimed at, from what was known of the peers beforehand. " +
		"“On the line” says that the interval has the bar in it.\n\n")
	p.say("%s.\n\n", bars.Count(p.verdicts))
	var rows [][]string
	row := ""
	for _, v := range p.verdicts {
		said := v.Bar.Row
		if said == row {
			said = ""
		}
		row = v.Bar.Row
		verdict := v.String()
		if v.State == bars.FallsShort {
			verdict = "**" + verdict + "**"
		}
		rows = append(rows, []string{said, v.Bar.Where(), v.Bar.Says(), v.Measured(), verdict})
	}
	p.table(5, []string{"Row", "Measured by", "Bar", "Measured", "Verdict"}, rows)
	shorts := slices.DeleteFunc(slices.Clone(p.verdicts), func(v bars.Verdict) bool {
		return v.State != bars.FallsShort || v.Bar.Why == ""
	})
	for _, v := range shorts {
		p.say("- %s, %s: %s\n", v.Bar.Where(), v.Bar.Says(), v.Bar.Why)
	}
	if len(shorts) > 0 {
		p.say("\n")
	}
	return nil
}
