package moving_test

import (
	"context"
	"errors"
	"io"
	"log"
	"runtime"
	"slices"
	"testing"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/pool"
)

// The tests check the statements of the guides about panics, Goexit and errors, on both
// sides.

func TestErrgroupCountsGoexitAsNoError(t *testing.T) {
	var g errgroup.Group
	g.Go(func() error { runtime.Goexit(); return nil })
	if err := g.Wait(); err != nil {
		t.Errorf("errgroup: %v", err)
	}
	quit := func(context.Context, int) error { runtime.Goexit(); return nil }
	if err := fan.ForEach(t.Context(), 1, slices.Values([]int{1}), quit); !errors.Is(err, fan.ErrGoexit) {
		t.Errorf("fan: %v", err)
	}
}

func TestErrgroupReturnsWhatTheFunctionsReturn(t *testing.T) {
	over := errors.New("over")
	parent, cancel := context.WithCancelCause(t.Context())
	cancel(over)
	g, _ := errgroup.WithContext(parent)
	g.Go(func() error { return nil })
	if err := g.Wait(); err != nil {
		t.Errorf("errgroup: %v", err)
	}
	fine := func(context.Context, int) error { return nil }
	if err := fan.ForEach(parent, 1, slices.Values([]int{1}), fine); !errors.Is(err, over) {
		t.Errorf("fan: %v", err)
	}
}

// errgroup and conc begin tasks after a failure, under a context that has ended.
func TestWhatComesBehindAFailureIsNotBegun(t *testing.T) {
	bad := errors.New("bad")
	const tasks = 20

	begun := 0
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(1)
	for range tasks {
		g.Go(func() error { begun++; return bad })
	}
	if err := g.Wait(); err != bad || begun != tasks || ctx.Err() == nil {
		t.Errorf("errgroup: %d begun, error %v", begun, err)
	}

	begun = 0
	c := concpool.New().WithMaxGoroutines(1).WithContext(t.Context()).WithCancelOnError().WithFirstError()
	for range tasks {
		c.Go(func(context.Context) error { begun++; return bad })
	}
	if err := c.Wait(); err != bad || begun != tasks {
		t.Errorf("conc: %d begun, error %v", begun, err)
	}

	begun = 0
	fail := func(context.Context, int) error { begun++; return bad }
	if err := fan.ForEach(t.Context(), 1, slices.Values(make([]int, tasks)), fail); !errors.Is(err, bad) || begun != 1 {
		t.Errorf("fan.ForEach: %d begun, error %v", begun, err)
	}

	begun = 0
	p := pool.New(1, func(context.Context, int) (int, error) { begun++; return 0, bad })
	defer p.Close()
	pg := p.Group(t.Context())
	for i := range tasks {
		pg.Go(i)
	}
	if _, err := pg.Wait(t.Context()); !errors.Is(err, bad) || begun != 1 {
		t.Errorf("pool: %d begun, error %v", begun, err)
	}
}

func TestConcJoinsAllErrors(t *testing.T) {
	a, b := errors.New("a"), errors.New("b")
	c := concpool.New().WithMaxGoroutines(1).WithErrors()
	c.Go(func() error { return a })
	c.Go(func() error { return b })
	if err := c.Wait(); !errors.Is(err, a) || !errors.Is(err, b) {
		t.Errorf("conc: %v", err)
	}
	p := pool.New(1, func(_ context.Context, err error) (int, error) { return 0, err })
	defer p.Close()
	first, all := p.Group(t.Context()), p.Group(t.Context(), pool.CollectAll())
	for _, err := range []error{a, b} {
		_, _ = first.Go(err), all.Go(err)
	}
	if _, err := first.Wait(t.Context()); !errors.Is(err, a) || errors.Is(err, b) {
		t.Errorf("pool: %v", err)
	}
	if _, err := all.Wait(t.Context()); err.Error() != "task 0: a\ntask 1: b" {
		t.Errorf("pool with CollectAll: %v", err)
	}
}

// A panic propagates from conc's Wait, is an error in pond, is logged by ants, and is
// an error here. In errgroup and workerpool it ends the program, as FAULTS.md shows.
func TestPanics(t *testing.T) {
	func() {
		defer func() {
			if recover() == nil {
				t.Error("conc: there is no panic")
			}
		}()
		c := concpool.New()
		c.Go(func() { panic("oh") })
		c.Wait()
	}()

	pp := pond.NewPool(1)
	defer pp.StopAndWait()
	if err := pp.Submit(func() { panic("oh") }).Wait(); !errors.Is(err, pond.ErrPanic) {
		t.Errorf("pond: %v", err)
	}

	logged := make(chan string, 1)
	ap, err := ants.NewPool(1, ants.WithLogger(log.New(io.Discard, "", 0)), ants.WithPanicHandler(func(v any) { logged <- v.(string) }))
	if err != nil {
		t.Fatal(err)
	}
	defer ap.Release()
	if err := ap.Submit(func() { panic("oh") }); err != nil {
		t.Errorf("ants: %v", err)
	}
	if v := <-logged; v != "oh" {
		t.Errorf("ants: %v", v)
	}

	p := pool.New(1, func(_ context.Context, what string) (int, error) { panic(what) })
	defer p.Close()
	_, err = p.Do(t.Context(), "oh")
	if pe, ok := errors.AsType[*pool.PanicError](err); !ok || pe.Value != "oh" || len(pe.Stack) == 0 {
		t.Errorf("pool: %v", err)
	}
}
