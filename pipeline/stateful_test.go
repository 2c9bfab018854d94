package pipeline_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/pipeline"
)

// A diary is what the functions of a Stateful stage have been called for.
type diary struct {
	mu                         sync.Mutex
	opened, ended, closed, sum int
}

func (d *diary) note(n *int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	*n++
}

// stateful sums up. fails says in which function how to fail.
func (d *diary) stateful(in string, how func() error) pipeline.Stage[int, int] {
	fail := func(at string) error {
		if at == in {
			return how()
		}
		return nil
	}
	return pipeline.Stateful(
		func(context.Context) (*int, error) {
			if err := fail("open"); err != nil {
				return nil, err
			}
			d.note(&d.opened)
			return new(int), nil
		},
		func(_ context.Context, sum *int, v int, emit func(int) error) error {
			*sum += v
			if v == 5 {
				if err := fail("each"); err != nil {
					return err
				}
			}
			return emit(v)
		},
		func(_ context.Context, sum *int, emit func(int) error) error {
			d.note(&d.ended)
			if err := fail("end"); err != nil {
				return err
			}
			return emit(*sum)
		},
		func(sum *int) error {
			d.note(&d.closed)
			d.mu.Lock()
			d.sum += *sum
			d.mu.Unlock()
			return fail("close")
		}, pipeline.WithName("state"))
}

// A state lives for one run, also if runs of the same stage are at once, is opened before
// the first item, also if there is none, and is closed after end.
func TestStatefulHasAStateForEachRun(t *testing.T) {
	var d diary
	s := d.stateful("", nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			out, err := pipeline.Then(add(0), s).Collect(t.Context(), count(10))
			if !slices.Equal(out, append(slices.Collect(numbers(10)), 45)) || err != nil {
				t.Errorf("%v, %v", out, err)
			}
		})
	}
	wg.Wait()
	out, err := s.Collect(t.Context(), count(0))
	if !slices.Equal(out, []int{0}) || err != nil {
		t.Errorf("no items: %v, %v", out, err)
	}
	if d.opened != 5 || d.ended != 5 || d.closed != 5 || d.sum != 4*45 {
		t.Errorf("%+v", &d)
	}
}

// C4, L3: however a function ends, the state is closed once if it was opened, end is not
// called after an early end, and the error has the name of the stage.
func TestStatefulClosesItsState(t *testing.T) {
	for kind, how := range map[string]func() error{
		"error": func() error { return errItem }, "panic": func() error { panic(errItem) }, "Goexit": func() error { runtime.Goexit(); return nil },
	} {
		for _, in := range []string{"open", "each", "end", "close"} {
			var d diary
			var o pipeline.Observer
			_, err := d.stateful(in, how).Observe(&o).Collect(t.Context(), count(100))
			want := errItem
			if kind == "Goexit" {
				want = pipeline.ErrGoexit
			}
			se, ok := errors.AsType[*pipeline.StageError](err)
			if !errors.Is(err, want) || !ok || se.Stage != "state" || (se.Index == 5) != (in == "each") || (se.Index == -1) == (in == "each") {
				t.Errorf("%s in %s: %v", kind, in, err)
			}
			opened, ended := 1, 0
			if in == "open" {
				opened = 0
			}
			if in == "end" || in == "close" {
				ended = 1
			}
			if d.opened != opened || d.closed != opened || d.ended != ended {
				t.Errorf("%s in %s: %+v", kind, in, &d)
			}
			if st := o.Stats()[0]; st.In != st.Done+st.Failed || in == "each" && (st.In != 6 || st.Failed != 1) {
				t.Errorf("%s in %s: %v", kind, in, st)
			}
		}
	}
	for _, early := range []string{"take", "break", "cancel"} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var d diary
		s := d.stateful("", nil)
		if early == "take" {
			s = s.Take(3)
		}
		for v := range s.Run(ctx, count(100)) {
			if v == 3 && early == "break" {
				break
			}
			if v == 3 && early == "cancel" {
				cancel()
			}
		}
		if d.opened != 1 || d.closed != 1 || d.ended != 0 {
			t.Errorf("%s: %+v", early, &d)
		}
	}
}
