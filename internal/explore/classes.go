//go:build points

package explore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkPruning runs the program in all orders, with sleep sets alone, and with races as
// well, and fails the test if the three methods reach different classes. A method that
// does not finish within the available runs is not compared.
func (e *explorer) checkPruning() {
	all := e.left
	ways := []struct {
		name string
		run  func()
	}{
		{"races", func() { e.prune(true, func() bool { return e.left > 0 }) }},
		{"sleep sets", func() { e.prune(false, func() bool { return e.left > 0 }) }},
		{"all orders", func() { e.depthFirst(endless, func(int) bool { return true }) }},
	}
	var first map[string]string
	for _, w := range ways {
		e.left, e.report = all, Report{}
		classes := map[string]string{} // class to the choices of one order
		e.seen = func(r *Run) { classes[r.class()] = r.choices() }
		w.run()
		e.t.Logf("%s: %v: %d classes", w.name, e.report, len(classes))
		switch {
		case !e.report.Exhausted:
			continue
		case first == nil:
			first = classes
			continue
		}
		for class, choices := range classes {
			if _, ok := first[class]; !ok {
				e.t.Fatalf("%s: TANDEM_SCHEDULE=%s leads to a class that is left out otherwise:\n%s", w.name, choices, class)
			}
		}
		if len(classes) != len(first) {
			e.t.Fatalf("%s: %d classes, want %d", w.name, len(classes), len(first))
		}
	}
	e.seen = nil
}

// class returns the same text for all orders of the class of r: each step, with the
// steps of other goroutines that it depends on.
func (r *Run) class() string {
	names := map[int]string{} // by goroutine; unnamed ones are named after their parent
	children := map[int]int{}
	count := map[int]int{}
	steps := make([]string, len(r.steps))
	lines := make([]string, len(r.steps))
	for i, s := range r.steps {
		name, ok := names[s.id]
		if !ok {
			name = r.names[s.id]
		}
		count[s.id]++
		steps[i] = fmt.Sprintf("%s.%d", name, count[s.id])
		before := map[string]bool{}
		for j, t := range r.steps[:i] {
			if t.id != s.id && dependent(t.accesses, s.accesses) {
				before[steps[j]] = true
			}
		}
		lines[i] = fmt.Sprintf("%s/%d after %s", steps[i], s.way, strings.Join(slices.Sorted(maps.Keys(before)), ", "))
		for _, a := range s.arrivals {
			if _, ok := names[a.id]; !ok && strings.HasPrefix(r.names[a.id], "#") {
				children[s.id]++
				names[a.id] = fmt.Sprintf("%s's %d", name, children[s.id])
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
