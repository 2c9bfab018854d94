package pipeline

import (
	"context"
	"errors"
	"testing"
)

// L4, C2: a stage that drops an item, since the run has ended, does not say
// downstream that all has been sent: the run would return nil, and the item would
// be lost in silence. The second item comes, and the run ends, while the first one
// is in work.
func TestL4ADroppedItemIsNotTheEnd(t *testing.T) {
	errGone := errors.New("gone")
	for name, s := range map[string]Stage[int, int]{
		"map":   Map(func(_ context.Context, v int) (int, error) { return v, nil }),
		"fused": Fuse(Tap(func(int) {}), Tap(func(int) {})),
		"flat map": FlatMap(func(_ context.Context, v int, emit func(int) error) error {
			return emit(v)
		}),
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		r := newRun(ctx)
		out := newEdge[int](r.life)
		var in *edge[int]
		_, in = Fuse(Tap(func(v int) {
			if v == 0 {
				_ = in.send(1) // as the source would, just now
				in.end()
				cancel(errGone)
			}
		}), s).connect(scope{run: r, life: r.life}, out)
		for _, l := range r.lifetimes {
			l.watch()
		}
		if err := in.send(0); err != nil {
			t.Fatal(err)
		}
		for _, stage := range r.starts {
			stage()
		}
		got := 0
		for _, ok := out.ring.TryPop(); ok; _, ok = out.ring.TryPop() {
			got++
		}
		if out.ring.Ended() && got < 2 {
			t.Errorf("%s: %d of 2 items have come out, and it is said that this was all", name, got)
		}
		if err := r.end(false); got < 2 && err != errGone {
			t.Errorf("%s: the run returns %v", name, err)
		}
	}
}
