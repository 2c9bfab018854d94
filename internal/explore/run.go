//go:build points

package explore

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/tandemgo/tandem/internal/sched"
)

// stuckAfter is how long the explorer waits for a goroutine to reach an operation, by the
// clock of the bubble, before it reports the goroutines that have not ended as stuck. It is
// longer than the timers of any program.
const stuckAfter = time.Hour

// endless is the maximum number of steps; a longer run is taken for an endless loop.
const endless = 10_000

// A Run is one run of a program.
type Run struct {
	number  int
	chooser chooser
	after   []func()

	setUp uint64 // id of the goroutine that sets up the program

	mu      sync.Mutex
	on      bool
	ids     map[uint64]int // by goroutine id
	names   []string       // by id
	waiting []*arrival     // goroutines that wait for their turn
	came    chan struct{}  // capacity 1; signalled when a goroutine reaches an operation
	actors  int            // named goroutines that have not ended
	starts  []func()
	steps   []step
	objects map[unsafe.Pointer]int // numbered in the order of first access
	givenUp bool                   // abandoned by the chooser
	problem string
}

// An arrival is a goroutine that waits for the turn of its operation.
type arrival struct {
	id    int
	op    *sched.Op
	sleep time.Duration // before it goes on
	going chan struct{}
}

// A step is an operation that was performed, and the code up to the next one.
type step struct {
	move
	index    int // of the move among the possible ones
	op       *sched.Op
	accesses []access
	arrivals []*arrival // in this step
	quiet    bool       // the arrivals follow from a timer
}

func newRun(number int, c chooser) *Run {
	return &Run{number: number, chooser: c, ids: make(map[uint64]int), objects: make(map[unsafe.Pointer]int)}
}

// Go names a goroutine that runs fn. It starts when the setup of the program is
// complete.
func (r *Run) Go(name string, fn func()) {
	id := len(r.names)
	r.names = append(r.names, name)
	r.actors++
	r.starts = append(r.starts, func() {
		r.mu.Lock()
		r.ids[current()] = id
		r.mu.Unlock()
		defer func() {
			v := recover()
			r.mu.Lock()
			r.actors--
			if v != nil {
				r.problem = fmt.Sprintf("%s panicked: %v", name, v)
			}
			r.mu.Unlock()
		}()
		r.wait(&sched.Op{Name: "start", Ways: []sched.Access{{}}}, 0)
		fn()
	})
}

// Step lets other goroutines go first. The code of the goroutine up to its next
// operation commutes with no step.
func (r *Run) Step(name string) { r.wait(unknown(name), 0) }

// Pass lets d pass, by the clock of the bubble, when the calling goroutine has its
// turn. Timers fire meanwhile, and goroutines that wait for their turn keep waiting.
func (r *Run) Pass(d time.Duration) { r.wait(unknown("time passes"), d) }

func unknown(name string) *sched.Op {
	return &sched.Op{Name: name, Ways: []sched.Access{{Kind: sched.Unknown}}}
}

// After adds a function that is called when all named goroutines have ended and none
// waits for its turn. Such functions check the laws and release resources. The last one
// added is called first.
func (r *Run) After(fn func()) { r.after = append(r.after, fn) }

func (r *Run) play(t *testing.T, p Program) {
	synctest.Test(t, func(t *testing.T) {
		r.came = make(chan struct{}, 1)
		detach := sched.Attach(r)
		r.setUp = current()
		p(t, r)
		r.mu.Lock() // goroutines of the setup may reach operations already
		r.on = true
		r.mu.Unlock()
		for _, start := range r.starts {
			go start()
		}
		stuck := r.loop()
		r.mu.Lock()
		r.on = false
		r.mu.Unlock()
		detach()
		if stuck {
			buf := make([]byte, 1<<16)
			why := "no goroutine can go on"
			if len(r.steps) == endless {
				why, r.steps = "it goes on and on", r.steps[:100]
			}
			t.Fatalf("%s:\n%s", why, buf[:runtime.Stack(buf, true)])
		}
		r.release(t)
		if r.problem != "" {
			t.Error(r.problem)
		}
		for _, fn := range slices.Backward(r.after) {
			fn()
		}
	})
}

// release releases the goroutines that still wait for their turn: all of them after an
// abandoned run, and otherwise the unnamed ones that wait for a function of After. It
// waits until the named ones have ended.
func (r *Run) release(t *testing.T) {
	for _, a := range r.waiting {
		close(a.going)
	}
	for range 2 * stuckAfter / time.Minute {
		synctest.Wait()
		r.mu.Lock()
		actors := r.actors
		r.mu.Unlock()
		if actors == 0 {
			return
		}
		time.Sleep(time.Minute)
	}
	t.Fatal("after the run was given up: no goroutine can go on")
}

// loop releases goroutines, one at a time, until all named ones have ended and none
// waits for its turn. It reports whether a goroutine is stuck or in an endless loop.
func (r *Run) loop() (stuck bool) {
	last, known := -1, 0
	quiet, forgotten := false, false
	for {
		synctest.Wait()
		r.mu.Lock()
		waiting, actors := slices.Clone(r.waiting), r.actors
		r.mu.Unlock()
		if n := len(r.steps); n > 0 {
			s := &r.steps[n-1]
			s.arrivals = append(s.arrivals, waiting[known:]...)
			s.quiet = s.quiet || quiet && len(waiting) > known
		}
		known = len(waiting)
		moves, of := r.moves(waiting, last)
		if len(moves) == 0 {
			switch {
			case actors == 0:
				return false
			case forgotten:
				return true
			}
			quiet = true
			forgotten = !r.await()
			continue
		}
		if len(r.steps) == endless {
			return true
		}
		quiet, forgotten = false, false
		n := r.chooser.choose(r, moves, moves[0].id == last)
		if n < 0 {
			r.givenUp = true
			return false
		}
		a := of[n]
		last = a.id
		r.step(a, moves[n], n)
		known--
		time.Sleep(a.sleep)
		close(a.going)
	}
}

// step records the move m of a.
func (r *Run) step(a *arrival, m move, index int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = slices.DeleteFunc(r.waiting, func(b *arrival) bool { return a == b })
	a.op.Way = m.way
	r.steps = append(r.steps, step{move: m, index: index, op: a.op})
	r.access(a.op.Ways[m.way])
}

// moves returns the possible moves, those of last first, and the arrival of each.
func (r *Run) moves(waiting []*arrival, last int) (moves []move, of []*arrival) {
	if busy := slices.DeleteFunc(slices.Clone(waiting), (*arrival).givesWay); len(busy) > 0 {
		waiting = busy
	}
	slices.SortFunc(waiting, func(a, b *arrival) int { return rank(a.id, last) - rank(b.id, last) })
	for _, a := range waiting {
		for way := range a.op.Ways {
			if a.op.Ready == nil || a.op.Ready(way) {
				moves, of = append(moves, move{a.id, way}), append(of, a)
			}
		}
	}
	return moves, of
}

func (a *arrival) givesWay() bool { return strings.HasSuffix(a.op.Name, " gives way") }

// rank sorts the goroutine of the previous move first.
func rank(id, last int) int {
	if id == last {
		return -1
	}
	return id
}

// await waits until a goroutine reaches an operation, and returns false if none does.
func (r *Run) await() bool {
	select {
	case <-r.came: // from before
	default:
	}
	timer := time.NewTimer(stuckAfter)
	defer timer.Stop()
	select {
	case <-r.came:
		return true
	case <-timer.C:
		return false
	}
}

// Await implements sched.Hook.
func (r *Run) Await(op *sched.Op) { r.wait(op, 0) }

// Accessed implements sched.Hook.
func (r *Run) Accessed(a sched.Access) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on && len(r.steps) > 0 {
		r.access(a)
	}
}

// wait returns when op has its turn and d has passed after that.
func (r *Run) wait(op *sched.Op, d time.Duration) {
	op.Way = -1 // none is chosen yet
	g := current()
	r.mu.Lock()
	if !r.on || !inBubble() {
		if g == r.setUp {
			r.know(op.Ways)
		}
		r.mu.Unlock()
		return
	}
	id, ok := r.ids[g]
	if !ok {
		id = len(r.names)
		r.names = append(r.names, "#"+strconv.Itoa(id))
		r.ids[g] = id
	}
	a := &arrival{id, op, d, make(chan struct{})}
	r.waiting = append(r.waiting, a)
	r.mu.Unlock()
	select {
	case r.came <- struct{}{}:
	default:
	}
	<-a.going
}

// inBubble reports whether the calling goroutine belongs to a bubble. A goroutine that
// runs cleanups of the garbage collector does not. The clock of a bubble begins in
// 2000.
func inBubble() bool { return time.Now().Year() < 2020 }

// choices returns the choices, without the trailing ones that are the default.
func (r *Run) choices() string {
	var b strings.Builder
	n := len(r.steps)
	for n > 1 && r.steps[n-1].index == 0 {
		n--
	}
	for i, s := range r.steps[:n] {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(s.index))
	}
	return b.String()
}

func (r *Run) trail() string {
	var b strings.Builder
	for _, s := range r.steps {
		fmt.Fprintf(&b, "  %s goes on at %s\n", r.names[s.id], where(s.op))
	}
	for _, a := range r.waiting {
		fmt.Fprintf(&b, "  %s waits at %s\n", r.names[a.id], where(a.op))
	}
	return b.String()
}

// where describes an operation and its place: "gate.go:71 Store in
// broadcast.(*gate).late".
func where(op *sched.Op) string {
	if op.Callers[0] == 0 {
		return op.Name
	}
	frames := runtime.CallersFrames(op.Callers[:])
	f, more := frames.Next()
	for more && wraps(f.Function) {
		f, more = frames.Next()
	}
	way := ""
	if len(op.Ways) > 1 && op.Way >= 0 {
		way = []string{" (signal)", " (context)"}[op.Way]
	}
	fn := f.Function[strings.LastIndexByte(f.Function, '/')+1:]
	return fmt.Sprintf("%s:%d %s%s in %s", filepath.Base(f.File), f.Line, op.Name, way, fn)
}

// wraps reports whether a function belongs to a package of locks and atomics; where
// then names the caller instead.
func wraps(function string) bool {
	return strings.Contains(function, "/internal/sched.") || strings.Contains(function, "/internal/shortlock.")
}
