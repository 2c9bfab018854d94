// Package parks counts how often goroutines park: how often one stops running
// and waits to be woken, as an execution trace records it.
//
// A park and the wake-up that ends it are what fine-grained concurrent work pays
// for most: the scheduler is entered twice, a processor may have to be woken, and
// the values that are handed over have left its cache. How long that takes depends on
// what else the machine does; how often it happens depends far less on it. So
// parks per item is a figure that holds still on a noisy machine, and tells of two
// programs that are equally fast on an idle one which will suffer more under load.
package parks

import (
	"bytes"
	"fmt"
	"io"
	"runtime/trace"
	"strings"

	xtrace "golang.org/x/exp/trace"
)

// Count runs work under an execution trace and returns how often goroutines,
// those of the run time apart, went from running to waiting meanwhile. It can run
// once at a time in a program, and not while something else traces it.
func Count(work func()) (int, error) {
	var buf bytes.Buffer
	if err := trace.Start(&buf); err != nil {
		return 0, fmt.Errorf("parks: Count: %w", err)
	}
	func() {
		defer trace.Stop()
		work()
	}()
	return read(&buf)
}

func read(in io.Reader) (parks int, err error) {
	r, err := xtrace.NewReader(in)
	if err != nil {
		return 0, fmt.Errorf("parks: %w", err)
	}
	for {
		e, err := r.ReadEvent()
		if err == io.EOF {
			return parks, nil
		}
		if err != nil {
			return 0, fmt.Errorf("parks: %w", err)
		}
		if e.Kind() == xtrace.EventStateTransition && isPark(e.StateTransition()) {
			parks++
		}
	}
}

func isPark(s xtrace.StateTransition) bool {
	if s.Resource.Kind != xtrace.ResourceGoroutine {
		return false
	}
	from, to := s.Goroutine()
	return from == xtrace.GoRunning && to == xtrace.GoWaiting && !strings.Contains(s.Reason, "GC") && !ofRuntime(s.Stack)
}

// ofRuntime reports whether it is the run time that waits: a goroutine of its
// own, one that has to help the collector, or one that starts or ends the trace.
func ofRuntime(stack xtrace.Stack) bool {
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
