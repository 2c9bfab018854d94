package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
)

// writeTable writes what became of the bugs as a Markdown table.
func writeTable(out io.Writer, all []finding) error {
	rows := [][]string{{"bug", "fault", "what goes wrong", "found by", "run", "s", "what it says", "choices"}}
	for _, f := range all {
		row := []string{f.id, f.fault, f.what, "nobody", "", seconds(f.took), "", ""}
		if f.program != "" {
			row[3], row[6], row[7] = f.program, "`"+f.why+"`", f.choices
			if row[4] = fmt.Sprint(f.run); f.run == 0 {
				row[4] = "?"
			}
		}
		rows = append(rows, row)
	}
	for i, row := range rows {
		for j, cell := range row {
			row[j] = cmp.Or(strings.ReplaceAll(cell, "|", "\\|"), " ")
		}
		if _, err := fmt.Fprintf(out, "| %s |\n", strings.Join(row, " | ")); err != nil {
			return err
		}
		if i == 0 {
			fmt.Fprint(out, "|:--|:--|:--|:--|--:|--:|:--|:--|\n")
		}
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }
