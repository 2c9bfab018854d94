package testkit

import (
	"bytes"
	"errors"
	"io"
	rtrace "runtime/trace"
	"testing"

	"golang.org/x/exp/trace"
)

// Activity is what goroutines did during a traced call.
type Activity struct {
	// Started counts goroutines created.
	Started int
	// Parks counts transitions of a goroutine from running to waiting: each
	// costs a switch, and somebody has to wake it.
	Parks int
	// Wakes counts transitions from waiting to runnable.
	Wakes int
}

// Trace runs fn under an execution trace and returns what goroutines did
// meanwhile, those of the run time included. It skips the test where a
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
			a.Parks++
		case from == trace.GoWaiting && to == trace.GoRunnable:
			a.Wakes++
		}
	}
}
