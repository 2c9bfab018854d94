//go:build points

package explore

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/point"
)

// patience is how long, by the clock of the bubble, nobody may do anything
// before whoever has not ended counts as forgotten: longer than the timers of
// any program.
const patience = time.Hour

// endless is how many steps are too many: whoever makes them goes round in circles.
const endless = 10_000

// A Run is one run of a program.
type Run struct {
	number  int
	chooser chooser
	after   []func()

	mu      sync.Mutex
	on      bool
	ids     map[uint64]int // by number of goroutine
	names   []string       // by id
	here    []*arrival
	came    chan struct{} // of capacity 1: somebody has come to a point
	actors  int           // that have not ended
	starts  []func()
	steps   []step
	problem string
}

// An arrival is a goroutine that stands at a point.
type arrival struct {
	id    int
	point string
	sleep time.Duration // before it goes on
	going chan struct{}
}

type step struct {
	id, taken int
	point     string
}

func newRun(number int, c chooser) *Run {
	return &Run{number: number, chooser: c, ids: make(map[uint64]int)}
}

// Go names a goroutine that runs fn. It starts when the program has been set up.
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
		point.At("start")
		fn()
	})
}

// Pass lets d pass, by the clock of the bubble, when it is the turn of whoever
// calls it, a goroutine that was named. Timers fire meanwhile, and who stands at a
// point stays there.
func (r *Run) Pass(d time.Duration) { r.stand("time passes", d) }

// After adds a function that is called, without points, when all goroutines that
// were named have ended and nobody stands at a point: to look at the laws, and to
// end what was made. The last one added is called first.
func (r *Run) After(fn func()) { r.after = append(r.after, fn) }

func (r *Run) play(t *testing.T, p Program) {
	synctest.Test(t, func(t *testing.T) {
		r.came = make(chan struct{}, 1)
		p(t, r)
		release := point.Take(r.arrive)
		r.mu.Lock() // goroutines that were set up may come to points already
		r.on = true
		r.mu.Unlock()
		for _, start := range r.starts {
			go start()
		}
		stuck := r.loop()
		r.mu.Lock()
		r.on = false
		problem := r.problem
		r.mu.Unlock()
		release()
		if stuck {
			buf := make([]byte, 1<<16)
			why := "nobody can go on"
			if len(r.steps) == endless {
				why, r.steps = "it goes on and on", r.steps[:100]
			}
			t.Fatalf("run %d: %s:\n%s\n%s\n%s", r.number, why, r.choices(), r.trail(), buf[:runtime.Stack(buf, true)])
		}
		if problem != "" {
			t.Error(problem)
		}
		for _, fn := range slices.Backward(r.after) {
			fn()
		}
	})
}

// loop lets goroutines go on, one at a time, until all that were named have
// ended and nobody stands at a point. It reports whether somebody has been
// forgotten, or never ends.
func (r *Run) loop() (stuck bool) {
	last, waited := -1, false
	for {
		synctest.Wait()
		r.mu.Lock()
		here, actors := r.here, r.actors
		r.mu.Unlock()
		if len(here) == 0 {
			switch {
			case actors == 0:
				return false
			case waited:
				return true
			}
			waited = !r.await()
			continue
		}
		if len(r.steps) == endless {
			return true
		}
		waited = false
		if busy := slices.DeleteFunc(slices.Clone(here), (*arrival).givesWay); len(busy) > 0 {
			here = busy
		}
		slices.SortFunc(here, func(a, b *arrival) int { return rank(a.id, last) - rank(b.id, last) })
		who := make([]int, len(here))
		for i, a := range here {
			who[i] = a.id
		}
		n := r.chooser.choose(who, who[0] == last)
		a := here[n]
		r.mu.Lock()
		r.here = slices.DeleteFunc(r.here, func(b *arrival) bool { return a == b })
		r.steps = append(r.steps, step{a.id, n, a.point})
		r.mu.Unlock()
		last = a.id
		time.Sleep(a.sleep)
		close(a.going)
	}
}

func (a *arrival) givesWay() bool { return strings.HasSuffix(a.point, " gives way") }

// await waits until somebody comes to a point, and reports false if nobody does.
func (r *Run) await() bool {
	select {
	case <-r.came: // long ago
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-r.came:
		return true
	case <-timer.C:
		return false
	}
}

// rank puts the one that went on last in front.
func rank(id, last int) int {
	if id == last {
		return -1
	}
	return id
}

func (r *Run) arrive(name string) { r.stand(name, 0) }

func (r *Run) stand(name string, sleep time.Duration) {
	g := current()
	r.mu.Lock()
	if !r.on {
		r.mu.Unlock()
		return
	}
	id, ok := r.ids[g]
	if !ok {
		id = len(r.names)
		r.names = append(r.names, "#"+strconv.Itoa(id))
		r.ids[g] = id
	}
	a := &arrival{id, name, sleep, make(chan struct{})}
	r.here = append(r.here, a)
	r.mu.Unlock()
	select {
	case r.came <- struct{}{}:
	default:
	}
	<-a.going
}

// choices returns what was chosen, without the end of it that is chosen anyway.
func (r *Run) choices() string {
	var b strings.Builder
	n := len(r.steps)
	for n > 1 && r.steps[n-1].taken == 0 {
		n--
	}
	for i, s := range r.steps[:n] {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(strconv.Itoa(s.taken))
	}
	return b.String()
}

func (r *Run) trail() string {
	var b strings.Builder
	for _, s := range r.steps {
		fmt.Fprintf(&b, "  %s goes on at %s\n", r.names[s.id], s.point)
	}
	for _, a := range r.here {
		fmt.Fprintf(&b, "  %s stands at %s\n", r.names[a.id], a.point)
	}
	return b.String()
}
