package fan_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/tandemgo/tandem/fan"
)

// runSeq walks results, and leaves when it has enough.
func (w *work) runSeq() {
	var walk iter.Seq2[int, error]
	source := slices.Values(w.items)
	key := func(i int) int { return i % w.keys }
	switch w.shape {
	case bySeq:
		walk = fan.Seq(w.ctx, w.workers, source, w.call)
	case byUnorderedSeq:
		walk = fan.Seq(w.ctx, w.workers, source, w.call, fan.Unordered())
	case byByKey:
		walk = fan.ByKey(w.ctx, w.workers, source, key, w.call)
	}
	var got []int
	failed, n := 0, 0
	for v, err := range walk {
		switch {
		case errors.Is(err, errBad):
			failed++
		case err != nil:
			w.t.Errorf("a result is %v", err)
		default:
			got = append(got, v)
		}
		if n++; n == w.leave {
			break
		}
	}
	if n != len(w.items) && n != w.leave {
		w.t.Errorf("%d results of %d items, left after %d", n, len(w.items), w.leave)
	}
	w.came(got, w.good(), n < len(w.items), w.shape == bySeq)
	if w.shape == byByKey {
		w.inOrder(got)
	}
	if want := len(w.items) - len(w.good()); n == len(w.items) && failed != want {
		w.t.Errorf("%d failed, want %d", failed, want)
	}
}

// came compares what came, all or a part, in order or not.
func (w *work) came(got, want []int, part, ordered bool) {
	if !ordered {
		got = slices.Sorted(slices.Values(got))
	}
	switch {
	case !part:
		if !slices.Equal(got, want) {
			w.t.Errorf("got %v, want %v", got, want)
		}
	case ordered:
		if len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			w.t.Errorf("got %v, which is not how %v begins", got, want)
		}
	default:
		for i, v := range got {
			if !slices.Contains(want, v) || i > 0 && got[i-1] == v {
				w.t.Errorf("got %v, which is no part of %v", got, want)
				return
			}
		}
	}
}

// inOrder checks the order of the results, which are twice the items, key by key.
func (w *work) inOrder(results []int) {
	last := map[int]int{}
	for _, v := range results {
		k := v / 2 % w.keys
		if before, ok := last[k]; ok && v <= before {
			w.t.Errorf("%d came after %d", v, before)
		}
		last[k] = v
	}
}

// receive receives from all of outs, each on its own, or merged with channels
// that are nil or closed.
func (w *work) receive(outs []<-chan int) {
	byChannel := make([][]int, len(outs))
	merged := []int{}
	if w.shape == byOut {
		closed := make(chan int)
		close(closed)
		for v := range fan.In(w.ctx, append(outs, nil, closed)...) {
			merged = append(merged, v)
		}
		if w.ctx.Err() != nil {
			w.drain(outs)
		}
	} else {
		var wg sync.WaitGroup
		for i, out := range outs {
			wg.Go(func() { byChannel[i] = slices.Collect(received(out)) })
		}
		wg.Wait()
	}
	part := context.Cause(w.ctx) == errLeft
	switch w.shape {
	case byOut:
		w.came(merged, w.good(), part, false)
	case byTee:
		least, most := len(w.items), 0
		for _, got := range byChannel {
			w.came(got, w.items, part, true)
			least, most = min(least, len(got)), max(most, len(got))
		}
		if len(outs) > 0 && most-least > 2 {
			w.t.Errorf("a branch is %d items ahead of another", most-least)
		}
	case byPartition:
		channel := map[int]int{} // by key
		for i, got := range byChannel {
			doubled := make([]int, len(got))
			for j, v := range got {
				doubled[j] = 2 * v
				if c, ok := channel[v%w.keys]; ok && c != i {
					w.t.Errorf("key %d came from two channels", v%w.keys)
				}
				channel[v%w.keys] = i
			}
			w.inOrder(doubled)
		}
		w.came(slices.Concat(byChannel...), w.items, part, false)
	}
}

// drain lets the goroutines that feed outs end.
func (w *work) drain(outs []<-chan int) {
	for _, out := range outs {
		for range out {
		}
	}
}

func received(ch <-chan int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for v := range ch {
			if !yield(v) {
				return
			}
		}
	}
}
