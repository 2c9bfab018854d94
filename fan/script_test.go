package fan_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/tandemgo/tandem/fan"
	"github.com/tandemgo/tandem/internal/testkit"
)

// A work is items for a function of the package, and what is to come of them.
type work struct {
	t       *testing.T
	shape   int
	items   []int // 0, 1, 2, …
	workers int
	keys    int
	bad     int // every so many-th item fails; 0: none
	leave   int // after so many results, or ms; 0: not
	paces   []int
	ctx     context.Context
	cancel  context.CancelCauseFunc
	calls   testkit.Gauge
	seen    *testkit.Ledger
}

const (
	byMap = iota
	byReduce
	byForEach
	bySeq
	byUnorderedSeq
	byByKey
	byOut
	byTee
	byPartition
	byQuorum
	shapes
)

var (
	errBad  = errors.New("bad")
	errLeft = errors.New("left")
)

func newWork(t *testing.T, in *testkit.Script) *work {
	w := &work{t: t, shape: in.IntN(shapes), workers: 1, keys: 1}
	for i := range in.IntN(64) {
		w.items = append(w.items, i)
	}
	w.workers += in.IntN(5)
	w.keys += in.IntN(6)
	w.bad, w.leave = in.IntN(16), in.IntN(64)
	for len(w.paces) < 16 && in.More() {
		w.paces = append(w.paces, in.IntN(8))
	}
	w.paces = append(w.paces, 0)
	w.ctx, w.cancel = context.WithCancelCause(t.Context())
	w.seen = testkit.NewLedger(len(w.items))
	return w
}

// call is the function that works on an item.
func (w *work) call(ctx context.Context, i int) (int, error) {
	if w.calls.Enter() > w.workers {
		w.t.Errorf("%d calls at once, %d workers", w.calls.Now(), w.workers)
	}
	defer w.calls.Leave()
	w.seen.Note(i)
	time.Sleep(time.Duration(w.paces[i%len(w.paces)]) * time.Millisecond)
	if w.fails(i) {
		return 0, errBad
	}
	return 2 * i, nil
}

func (w *work) fails(i int) bool { return w.bad > 0 && i%w.bad == w.bad-1 }

// good returns the results of the items that do not fail, in order.
func (w *work) good() (vs []int) {
	for _, i := range w.items {
		if !w.fails(i) {
			vs = append(vs, 2*i)
		}
	}
	return vs
}

// late ends the context when the time has come.
func (w *work) late() {
	if w.leave > 0 {
		time.AfterFunc(time.Duration(w.leave)*time.Millisecond, func() { w.cancel(errLeft) })
	}
}

func (w *work) run() {
	defer w.cancel(nil)
	switch w.shape {
	case byMap:
		w.runMap()
	case byReduce:
		w.runReduce()
	case byForEach:
		w.late()
		w.stopped(fan.ForEach(w.ctx, w.workers, slices.Values(w.items), func(ctx context.Context, i int) error {
			_, err := w.call(ctx, i)
			return err
		}))
	case bySeq, byUnorderedSeq, byByKey:
		w.runSeq()
	case byQuorum:
		w.runQuorum()
	default:
		w.runChannels()
	}
	if w.calls.Now() != 0 {
		w.t.Errorf("%d calls are left", w.calls.Now())
	}
	w.seen.AtMostOnce(w.t)
}

// stopped checks the error of a function that stops at the first one, and that
// without one everything was done. It reports whether there was one.
func (w *work) stopped(err error) bool {
	switch failed := len(w.good()) < len(w.items); {
	case errors.Is(err, errLeft) && w.leave > 0 || errors.Is(err, errBad) && failed:
		return true
	case err != nil || failed:
		w.t.Errorf("got %v; every %d-th of %d fails", err, w.bad, len(w.items))
	default:
		w.seen.ExactlyOnce(w.t)
	}
	return false
}

func (w *work) runMap() {
	w.late()
	got, err := fan.Map(w.ctx, w.workers, w.items, w.call)
	if len(got) != len(w.items) {
		w.t.Fatalf("%d results of %d items", len(got), len(w.items))
	}
	stopped := w.stopped(err)
	for i, v := range got {
		if v != 2*i && !(stopped && v == 0) {
			w.t.Errorf("result %d is %d", i, v)
		}
	}
}

// runReduce puts a slice together: it shows the order.
func (w *work) runReduce() {
	w.late()
	got, err := fan.Reduce(w.ctx, w.workers, w.items, func() []int { return nil }, func(acc []int, i int) ([]int, error) {
		v, err := w.call(w.ctx, i)
		return append(acc, v), err
	}, func(a, b []int) []int { return append(a, b...) })
	if want := w.good(); !w.stopped(err) && !slices.Equal(got, want) || err != nil && got != nil {
		w.t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// runQuorum races the first few items.
func (w *work) runQuorum() {
	var fns []func(context.Context) (int, error)
	n := min(len(w.items), 8)
	good := 0
	for _, i := range w.items[:n] {
		if !w.fails(i) {
			good++
		}
		fns = append(fns, func(ctx context.Context) (int, error) {
			select {
			case <-time.After(time.Duration(w.paces[i%len(w.paces)]) * time.Millisecond):
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
			if w.fails(i) {
				return 0, errBad
			}
			return i, nil
		})
	}
	got, err := fan.Quorum(w.ctx, w.keys, fns...)
	if want := good >= w.keys; want != (err == nil) || !want && !errors.Is(err, fan.ErrNoQuorum) || want && len(got) != w.keys {
		w.t.Errorf("%d of %d, of which %d succeed: %v, %v", w.keys, n, good, got, err)
	}
	pace := func(i int) int { return w.paces[i%len(w.paces)] }
	if !slices.IsSortedFunc(got, func(a, b int) int { return pace(a) - pace(b) }) {
		w.t.Errorf("%v is not the order in which they came", got)
	}
}

// runChannels works with the functions on channels, and ends the context when the
// time has come.
func (w *work) runChannels() {
	w.late()
	in := make(chan int)
	var outs []<-chan int
	switch w.shape {
	case byTee:
		outs = fan.Tee(w.ctx, in, w.keys)
	case byPartition:
		outs = fan.Partition(w.ctx, in, w.workers, func(i int) int { return i % w.keys })
	case byOut:
		for _, results := range fan.Out(w.ctx, in, w.workers, w.call) {
			out := make(chan int)
			outs = append(outs, out)
			go func() {
				defer close(out)
				for r := range results {
					if r.Err == nil {
						out <- r.Value
					} else if r.Err != errBad {
						w.t.Errorf("a result is %v", r.Err)
					}
				}
			}()
		}
	}
	go func() {
		defer close(in)
		for _, i := range w.items {
			select {
			case in <- i:
			case <-w.ctx.Done():
				return
			}
		}
	}()
	w.receive(outs)
}
