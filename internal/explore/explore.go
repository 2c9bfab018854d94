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

// A Program sets up what it needs, without points, and names its goroutines with
// Go. It is called for each run.
type Program = func(t testing.TB, r *Run)

const defaultRuns = 2000

// Explore runs p in as many orders as TANDEM_SCHEDULES says and fails t for the
// first that goes wrong.
func Explore(t *testing.T, p Program) Report {
	t.Helper()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // or goroutines would come to points in any order
	e := &explorer{t: t, program: p, left: runs(t)}
	if s := os.Getenv("TANDEM_SCHEDULE"); s != "" {
		e.once(replay(t, s))
		return e.report
	}
	e.depthFirst()
	e.random()
	t.Logf("%v", e.report)
	return e.report
}

// A Report says how much of a program has been explored.
type Report struct {
	Runs        int
	Preemptions int  // all orders with so many preemptions at most have been run
	Exhausted   bool // all orders have been run
	Diverged    int  // runs that did not repeat the choices that had led to them
}

func (r Report) String() string {
	s := fmt.Sprintf("%d runs, all orders with up to %d preemptions", r.Runs, r.Preemptions)
	if r.Exhausted {
		s = fmt.Sprintf("%d runs, all orders there are", r.Runs)
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
}

// once runs the program with the choices of c and reports whether to go on.
func (e *explorer) once(c chooser) bool {
	e.report.Runs++
	r := newRun(e.report.Runs, c)
	defer func() { // the end of a bubble in which something failed is that of the test
		v := recover() // what After calls may wait for ever
		if v != nil || e.t.Failed() {
			e.t.Errorf("run %d went wrong:\n%s\nTANDEM_SCHEDULE=%s runs it again", r.number, r.trail(), r.choices())
		}
		if v != nil {
			panic(v)
		}
	}()
	r.play(e.t, e.program)
	e.left--
	return e.left > 0
}

// depthFirst leaves half of the runs for random choices if it is not done by then.
func (e *explorer) depthFirst() {
	half := e.left / 2
	for bound := 0; ; bound++ {
		d := &depthFirst{bound: bound}
		for {
			d.begin()
			if !e.once(d) {
				return
			}
			if d.diverged {
				e.report.Diverged++
			}
			if !d.next() {
				break
			}
			if e.left <= half {
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

func (e *explorer) random() {
	if e.report.Exhausted || e.left == 0 {
		return
	}
	steps := 32
	for {
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
