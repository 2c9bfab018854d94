package debug_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	rtrace "runtime/trace"
	"slices"
	"testing"

	"golang.org/x/exp/trace"

	"github.com/tandemgo/tandem/debug"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
)

// While a trace runs, each task and each item is a task with a region, below the task of the
// submitter; without, a call allocates nothing.
func TestRegionIsInTheTrace(t *testing.T) {
	double := debug.Region("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	half := debug.Region("half", func(_ context.Context, n int) (int, error) { return n / 2, nil })
	var buf bytes.Buffer
	if err := rtrace.Start(&buf); err != nil {
		t.Skipf("cannot trace here: %v", err)
	}
	p := pool.New(1, double)
	func() {
		defer rtrace.Stop()
		ctx, request := rtrace.NewTask(t.Context(), "request")
		defer request.End()
		if v, err := p.Do(ctx, 21); v != 42 || err != nil {
			t.Error(v, err)
		}
		if v, err := pipeline.Map(half).Collect(ctx, pipeline.Values(2, 4)); !slices.Equal(v, []int{1, 2}) || err != nil {
			t.Error(v, err)
		}
	}()
	if err := p.Close(); err != nil {
		t.Error(err)
	}

	events, err := trace.NewReader(&buf)
	if err != nil {
		t.Fatal(err)
	}
	begun, ended := map[string]int{}, map[string]int{}
	var request trace.TaskID
	for {
		ev, err := events.ReadEvent()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch ev.Kind() {
		case trace.EventTaskBegin:
			task := ev.Task()
			begun["task "+task.Type]++
			if task.Type == "request" {
				request = task.ID
			} else if task.Parent != request {
				t.Errorf("task %s is not a part of the request", task.Type)
			}
		case trace.EventTaskEnd:
			ended["task "+ev.Task().Type]++
		case trace.EventRegionBegin:
			begun["region "+ev.Region().Type]++
		case trace.EventRegionEnd:
			ended["region "+ev.Region().Type]++
		}
	}
	for what, want := range map[string]int{"task double": 1, "region double": 1, "task half": 2, "region half": 2} {
		if begun[what] != want || ended[what] != want {
			t.Errorf("%s: %d have begun and %d ended, want %d", what, begun[what], ended[what], want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = double(t.Context(), 1) }); n != 0 && !testkit.Race {
		t.Errorf("%v allocations without a trace", n)
	}
}
