package survive

import (
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"
)

// flows are the scenarios of pipelines.
var flows = slices.Concat(
	each("FL1", takers, func(take func(int) int) error {
		if got := take(5); got != 5 {
			return fmt.Errorf("%d items, want 5", got)
		}
		return nil
	}, nil),
	each("FL2", batchers, trickle, nil),
	each("FL5", mappers, func(run mapper) error {
		ended := make(chan struct{})
		go func() { // a Goexit may end the caller, as in a plain loop
			defer close(ended)
			_, _ = run(2, 20, func(int) int { runtime.Goexit(); return 0 })
		}()
		<-ended
		return nil
	}, nil),
	each("FL6", idleFlows, failsWhileIdle, nil),
	each("FL12", but(mappers, byHand, "ro"), slowHead, nil),
	each("FC3", mappers, func(run mapper) error {
		if !refuses(func() error { _, err := run(2, 20, func(int) int { panic("bad item") }); return err }) {
			return errors.New("no caller learns of the panic")
		}
		return nil
	}, nil),
	each("FC2", but(mappers, "lo", "ro"), func(run mapper) error {
		refuses(func() error { _, err := run(0, 20, func(v int) int { return v }); return err })
		return nil
	}, nil),
)

func numbers(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

const endless = 1 << 40

// trickle sends an item every 20 ms, for some seconds, to a batcher with a size of
// 1,000 and an age of 100 ms.
func trickle(batch batcher) error {
	in := make(chan int)
	start := time.Now()
	var wg sync.WaitGroup
	first := time.Duration(0)
	wg.Go(func() {
		defer close(in)
		for i := range 250 {
			in <- i
			time.Sleep(20 * time.Millisecond)
		}
	})
	batch(in, 1000, 100*time.Millisecond, func(b []int) {
		if len(b) > 0 && first == 0 {
			first = time.Since(start)
		}
	})
	wg.Wait()
	if first > time.Second || first == 0 {
		return fmt.Errorf("the first batch comes after %v", first.Round(100*time.Millisecond))
	}
	return nil
}

// failsWhileIdle: the first item fails, no other item comes, and the channel is not
// closed.
func failsWhileIdle(run func(in <-chan int, fn func(int) (int, error)) error) error {
	in := make(chan int, 1)
	in <- 1
	if err := run(in, func(int) (int, error) { return 0, errReal }); !errors.Is(err, errReal) {
		return fmt.Errorf("the error is %w", err)
	}
	return nil
}

// slowHead: of eight items, the first ends only after the next four, which are more
// than the other workers can hold.
func slowHead(run mapper) error {
	var four sync.WaitGroup
	four.Add(4)
	got, err := run(3, 8, func(v int) int {
		switch {
		case v == 0:
			four.Wait()
		case v <= 4:
			four.Done()
		}
		return v
	})
	if err == nil && !slices.Equal(got, slices.Collect(numbers(8))) {
		err = fmt.Errorf("inputs 0 … 7 have the results %v", got)
	}
	return err
}
