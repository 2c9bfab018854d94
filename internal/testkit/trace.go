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

// Activity is what goroutines did during a traced call.
type Activity struct {
	// Started counts goroutines created.
	Started int
	// Parks counts transitions of a goroutine from running to waiting: each
	// costs a switch, and somebody has to wake it. Those of the run time are
	// left out, or the collector would decide how many there are.
	Parks int
	// Wakes counts transitions from waiting to runnable.
	Wakes int
}

// Trace runs fn under an execution trace and returns what goroutines did
// meanwhile. It skips the test where a
// trace is under way already (go test -trace). Tests that use it must not be
// parallel, or they count each other.
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

// ofRuntime reports whether it is the run time that waits: a goroutine of its
// own, one that has to help the collector, or one that starts or ends the trace.
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
