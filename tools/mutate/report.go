package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A report is what a run has found out.
type report struct {
	verdicts []verdict
	untried  int
	reasons  reasons
	stale    []string
	min      float64 // the share of concurrent mutants to be killed, in percent
	seed     uint64  // 0 if the order is that of the code
}

// A tally counts outcomes.
type tally struct {
	Killed      int `json:"killed"`
	Survived    int `json:"survived"`
	Equivalent  int `json:"equivalent"`
	NotCompiled int `json:"notCompiled"`
}

func (t *tally) add(v verdict, r reasons) {
	switch {
	case v.outcome == killed:
		t.Killed++
	case v.outcome == notCompiled:
		t.NotCompiled++
	case r.isEquivalent(v.key):
		t.Equivalent++
	default:
		t.Survived++
	}
}

// share returns how many percent of those that can be killed were.
func (t tally) share() float64 {
	if t.Killed+t.Survived == 0 {
		return 100
	}
	return 100 * float64(t.Killed) / float64(t.Killed+t.Survived)
}

// count counts the verdicts for which of is not "", by what it returns, in the
// order in which that first comes up.
func (r *report) count(of func(verdict) string) (order []string, by map[string]*tally) {
	by = map[string]*tally{}
	for _, v := range r.verdicts {
		name := of(v)
		if name == "" {
			continue
		}
		if by[name] == nil {
			by[name] = &tally{}
			order = append(order, name)
		}
		by[name].add(v, r.reasons)
	}
	return order, by
}

const concurrency = "all of concurrency"

// concurrent counts the mutants that the share is asked of.
func (r *report) concurrent() tally {
	_, by := r.count(func(v verdict) string {
		if v.operator.concurrent {
			return concurrency
		}
		return ""
	})
	if by[concurrency] == nil {
		return tally{}
	}
	return *by[concurrency]
}

// good reports whether enough mutants were killed.
func (r *report) good() bool { return r.concurrent().share() >= r.min }

// writeText writes the report as Markdown.
func (r *report) writeText(w io.Writer) error {
	var b strings.Builder
	table := func(what string, of func(verdict) string) {
		order, by := r.count(of)
		width := len(what)
		for _, name := range order {
			width = max(width, len(name))
		}
		fmt.Fprintf(&b, "| %-*s | killed | survived | equivalent | not compiled |  share |\n", width, what)
		fmt.Fprintf(&b, "|:%s-|-------:|---------:|-----------:|-------------:|-------:|\n", strings.Repeat("-", width))
		for _, name := range order {
			t := by[name]
			fmt.Fprintf(&b, "| %-*s | %6d | %8d | %10d | %12d | %5.1f%% |\n",
				width, name, t.Killed, t.Survived, t.Equivalent, t.NotCompiled, t.share())
		}
		b.WriteString("\n")
	}
	table("package", func(v verdict) string { return v.pkg.path })
	table("operator", func(v verdict) string { return v.operator.name })
	r.writeKillers(&b)
	r.list(&b, "Survivors without a reason", func(v verdict) bool { return r.reasons[v.key] == "" })
	r.list(&b, "Survivors with a reason", func(v verdict) bool {
		return r.reasons[v.key] != "" && !r.reasons.isEquivalent(v.key)
	})
	r.list(&b, "Equivalent", func(v verdict) bool { return r.reasons.isEquivalent(v.key) })
	if len(r.stale) > 0 {
		b.WriteString("Reasons for mutants that there are not:\n\n")
		for _, key := range slices.Sorted(slices.Values(r.stale)) {
			fmt.Fprintf(&b, "- `%s`\n", key)
		}
		b.WriteString("\n")
	}
	if r.seed != 0 {
		fmt.Fprintf(&b, "A sample: -seed %d. %d mutants were not tried.\n", r.seed, r.untried)
	}
	t := r.concurrent()
	fmt.Fprintf(&b, "Of %d concurrent mutants that can be killed, %.1f%% were; at least %g%% are asked for.\n",
		t.Killed+t.Survived, t.share(), r.min)
	_, err := io.WriteString(w, b.String())
	return err
}

// killers counts the killed by the stage that did it.
func (r *report) killers() map[string]int {
	by := map[string]int{}
	for _, v := range r.verdicts {
		if v.outcome == killed {
			by[v.stage.tests]++
		}
	}
	return by
}

// writeKillers writes which stage killed how many of those that the ones before
// it had let live.
func (r *report) writeKillers(b *strings.Builder) {
	by := r.killers()
	if len(by) == 0 {
		return
	}
	b.WriteString("| killed by | mutants |\n|:----------|--------:|\n")
	for _, tests := range []string{byTests, byUsers, byExplorer, byRace} {
		if by[tests] > 0 {
			fmt.Fprintf(b, "| %-9s | %7d |\n", tests, by[tests])
		}
	}
	b.WriteString("\n")
}

// list writes the survivors of a kind, if there are any.
func (r *report) list(b *strings.Builder, title string, of func(verdict) bool) {
	for _, v := range r.verdicts {
		if v.outcome != survived || !of(v) {
			continue
		}
		if title != "" {
			fmt.Fprintf(b, "%s:\n\n", title)
			title = ""
		}
		fmt.Fprintf(b, "- %s\n  `%s`\n", v.id, v.key)
		if reason := r.reasons[v.key]; reason != "" {
			fmt.Fprintf(b, "  %s\n", reason)
		}
	}
	if title == "" {
		b.WriteString("\n")
	}
}

// writeJSON writes the same, and every mutant.
func (r *report) writeJSON(w io.Writer) error {
	type one struct {
		ID       string `json:"id"`
		Key      string `json:"key"`
		Package  string `json:"package"`
		Operator string `json:"operator"`
		Text     string `json:"text"`
		Outcome  string `json:"outcome"`
		Stage    string `json:"stage,omitempty"`
		By       string `json:"by,omitempty"`
		Reason   string `json:"reason,omitempty"`
		Millis   int64  `json:"ms"`
	}
	mutants := []one{}
	for _, v := range r.verdicts {
		mutants = append(mutants, one{v.id, v.key, v.pkg.path, v.operator.name, v.text, v.outcome, v.stage.tests, v.by, r.reasons[v.key], v.took.Milliseconds()})
	}
	_, packages := r.count(func(v verdict) string { return v.pkg.path })
	_, byOperator := r.count(func(v verdict) string { return v.operator.name })
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	return e.Encode(map[string]any{
		"packages": packages, "operators": byOperator, "killers": r.killers(), "mutants": mutants, "stale": r.stale,
		"untried": r.untried, "seed": r.seed, "min": r.min, "share": r.concurrent().share(),
	})
}
