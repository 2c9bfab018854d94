package testkit

import (
	"bytes"
	"errors"
	"io"
	rtrace "runtime/trace"
	"strings"
	"testing"

	"golang.org/x/exp/trace"
)

// Activity is the activity of goroutines during a traced call.
type Activity struct {
	// Started counts goroutines created.
	Started int
	// Parks counts transitions of a goroutine from running to waiting. Each costs a
	// switch and a wake-up. Parks of the runtime are left out, since the garbage
	// collector would determine their number.
	Parks int
	// Wakes counts transitions from waiting to runnable.
	Wakes int
}

// Trace runs fn under an execution trace and returns the activity of goroutines. It
// skips the test if a trace is running already (go test -trace). Tests that use it must
// not be parallel, since each would count the goroutines of the others.
func Trace(t testing.TB, fn func()) Activity {
	t.Helper()
	var buf bytes.Buffer
	if err := rtrace.Start(&buf); err != nil {
		t.Skipf("cannot trace here: %v", err)
	}
	func() {
		defer rtrace.Stop()
		fn()
	}()
	a, err := read(&buf)
	if err != nil {
		t.Fatalf("reading the execution trace: %v", err)
	}
	return a
}

func read(r io.Reader) (a Activity, err error) {
	tr, err := trace.NewReader(r)
	if err != nil {
		return a, err
	}
	for {
		ev, err := tr.ReadEvent()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return a, err
		}
		if ev.Kind() != trace.EventStateTransition {
			continue
		}
		st := ev.StateTransition()
		if st.Resource.Kind != trace.ResourceGoroutine {
			continue
		}
		switch from, to := st.Goroutine(); {
		case from == trace.GoNotExist:
			a.Started++
		case from == trace.GoRunning && to == trace.GoWaiting:
			if !strings.Contains(st.Reason, "GC") && !ofRuntime(st.Stack) {
				a.Parks++
			}
		case from == trace.GoWaiting && to == trace.GoRunnable:
			a.Wakes++
		}
	}
}

// ofRuntime reports whether the wait is one of the runtime: in a goroutine of the
// runtime, in assistance to the garbage collector, or at the start or end of the trace.
func ofRuntime(stack trace.Stack) bool {
	root := ""
	for f := range stack.Frames() {
		for _, own := range []string{"runtime.gc", "runtime.mallocgc", "runtime.trace", "runtime/trace."} {
			if strings.HasPrefix(f.Func, own) {
				return true
			}
		}
		root = f.Func
	}
	return strings.HasPrefix(root, "runtime.") && root != "runtime.main"
}
