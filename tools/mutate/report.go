package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// least is the percentage of the mutants to be killed.
const least = 90

// A report is the result of a run.
type report struct {
	results []result
	reasons reasons
	stale   []string
}

// A counts counts outcomes.
type counts struct{ killed, survived, equivalent, notCompiled int }

// share returns the killed mutants in percent of those that can be killed.
func (t counts) share() float64 {
	if t.killed+t.survived == 0 {
		return 100
	}
	return 100 * float64(t.killed) / float64(t.killed+t.survived)
}

// count counts the results for which is returns true.
func (r *report) count(is func(result) bool) (t counts) {
	for _, v := range r.results {
		switch {
		case !is(v):
		case v.outcome == killed:
			t.killed++
		case v.outcome == notCompiled:
			t.notCompiled++
		case r.reasons.isEquivalent(v.key):
			t.equivalent++
		default:
			t.survived++
		}
	}
	return t
}

func (r *report) all() counts { return r.count(func(result) bool { return true }) }

// text returns the report.
func (r *report) text() string {
	var b strings.Builder
	for _, table := range []struct {
		title string
		of    func(result) string
	}{
		{"package", func(v result) string { return v.pkg.path }},
		{"operator", func(v result) string { return v.operator.name }},
		{"killed by", func(v result) string { return v.stage.tests }},
	} {
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintf(t, "%s\tkilled\tsurvived\tequivalent\tnot compiled\tshare\n", table.title)
		var names []string
		for _, v := range r.results {
			if name := table.of(v); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		for _, name := range names {
			n := r.count(func(v result) bool { return table.of(v) == name })
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%.1f%%\n", name, n.killed, n.survived, n.equivalent, n.notCompiled, n.share())
		}
		_ = t.Flush()
		b.WriteString("\n")
	}
	for _, list := range []struct {
		title string
		of    func(key string) bool
	}{
		{"Survivors without a reason", func(key string) bool { return r.reasons[key] == "" }},
		{"Survivors with a reason", func(key string) bool { return r.reasons[key] != "" && !r.reasons.isEquivalent(key) }},
		{"Equivalent", r.reasons.isEquivalent},
	} {
		var items strings.Builder
		for _, v := range r.results {
			if v.outcome == survived && list.of(v.key) {
				fmt.Fprintf(&items, "- %s\n  `%s`\n", v.id, v.key)
				if reason := r.reasons[v.key]; reason != "" {
					fmt.Fprintf(&items, "  %s\n", reason)
				}
			}
		}
		if items.Len() > 0 {
			fmt.Fprintf(&b, "%s:\n\n%s\n", list.title, &items)
		}
	}
	if len(r.stale) > 0 {
		fmt.Fprintf(&b, "Reasons for mutants that there are not:\n\n- `%s`\n\n", strings.Join(r.stale, "`\n- `"))
	}
	t := r.all()
	fmt.Fprintf(&b, "Of %d mutants that can be killed, %.1f%% were; at least %d%% are asked for.\n", t.killed+t.survived, t.share(), least)
	return b.String()
}
