//go:build points

package explore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// A Program makes its data and its goroutines, with Go. It is called for each run.
type Program = func(t testing.TB, r *Run)

const defaultRuns = 2000

// Explore runs p in as many orders as TANDEM_SCHEDULES allows and fails t at the first
// run that fails.
func Explore(t *testing.T, p Program) Report {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // otherwise goroutines reach operations in any order
	e := &explorer{t: t, program: p, left: runs(t)}
	switch s := os.Getenv("TANDEM_SCHEDULE"); {
	case s != "":
		e.once(replay(t, s))
		return e.report
	case os.Getenv("TANDEM_CHECK_PRUNING") != "":
		e.checkPruning()
		return e.report
	}
	e.explore()
	t.Logf("%v", e.report)
	return e.report
}

// A Report describes how much of a program has been explored.
type Report struct {
	Runs        int
	Preemptions int  // all orders with at most so many preemptions have been run
	Exhausted   bool // all orders have been run, or one of each class
	Classes     bool // Exhausted means one of each class
	Redundant   int  // runs abandoned since all their continuations had been run
	Diverged    int  // runs that did not repeat the choices that had led to them
}

func (r Report) String() string {
	s := fmt.Sprintf("%d runs, all orders with up to %d preemptions", r.Runs, r.Preemptions)
	switch {
	case r.Classes:
		s = fmt.Sprintf("%d runs, all classes of orders there are", r.Runs)
	case r.Exhausted:
		s = fmt.Sprintf("%d runs, all orders there are", r.Runs)
	}
	if r.Redundant > 0 {
		s += fmt.Sprintf(", %d redundant", r.Redundant)
	}
	if r.Diverged > 0 {
		s += fmt.Sprintf(", %d diverged", r.Diverged)
	}
	return s
}

type explorer struct {
	t       *testing.T
	program Program
	left    int // runs
	report  Report
	seen    func(*Run) // called with each run that was not abandoned; may be nil
}

// explore divides the runs among the methods.
func (e *explorer) explore() {
	all := e.left
	e.depthFirst(0, func(bound int) bool {
		return bound <= 2 && e.left > all-all/8
	})
	if !e.report.Exhausted {
		e.prune(true, func() bool { return e.left > all/4 })
	}
	if !e.report.Exhausted {
		e.random()
	}
}

// once runs the program with the choices of c and reports whether runs are left.
func (e *explorer) once(c chooser) bool {
	e.report.Runs++
	r := newRun(e.report.Runs, c)
	defer func() { // a failure in a bubble ends the test
		v := recover() // synctest panics if a function of After blocks for ever
		if v != nil || e.t.Failed() {
			e.t.Errorf("run %d went wrong:\n%s\nTANDEM_SCHEDULE=%s runs it again", r.number, r.trail(), r.choices())
		}
		if v != nil {
			panic(v)
		}
	}()
	r.play(e.t, e.program)
	if e.seen != nil && !r.givenUp {
		e.seen(r)
	}
	e.left--
	return e.left > 0
}

// depthFirst makes all choices with at most bound preemptions, then with one more, and
// so on, as long as more returns true before each run.
func (e *explorer) depthFirst(bound int, more func(bound int) bool) {
	for ; ; bound++ {
		d := &depthFirst{bound: bound}
		for next := true; next; next = d.next() {
			if !more(bound) {
				return
			}
			d.begin()
			on := e.once(d)
			if d.diverged {
				e.report.Diverged++
			}
			if !on {
				return
			}
		}
		e.report.Preemptions = bound
		if !d.bounded {
			e.report.Exhausted = true
			return
		}
	}
}

// prune runs one order of each class, as long as more returns true before each run.
// Without races it makes every choice that does not sleep.
func (e *explorer) prune(races bool, more func() bool) {
	d := &pruning{races: races}
	for next := true; next; next = d.next() {
		if !more() {
			return
		}
		d.begin()
		on := e.once(d)
		if d.asleep {
			e.report.Redundant++
		}
		if d.diverged {
			e.report.Diverged++
		}
		if !on {
			return
		}
	}
	e.report.Exhausted, e.report.Classes = true, true
}

func (e *explorer) random() {
	steps := 32
	for e.left > 0 {
		c := newPriorities(rand.New(rand.NewPCG(uint64(e.left), uint64(steps))), steps)
		if !e.once(c) {
			return
		}
		steps = max(steps, c.steps)
	}
}

func runs(t *testing.T) int {
	s := os.Getenv("TANDEM_SCHEDULES")
	if s == "" {
		if testing.Short() {
			return defaultRuns / 10
		}
		return defaultRuns
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("explore: TANDEM_SCHEDULES=%q: must be a number of runs", s)
	}
	return n
}

func replay(t *testing.T, s string) chooser {
	var path fixed
	for f := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(f)
		if err != nil || n < 0 {
			t.Fatalf("explore: TANDEM_SCHEDULE=%q: must be numbers with dots between them", s)
		}
		path = append(path, n)
	}
	return &path
}
