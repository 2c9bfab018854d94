package pool

import (
	"sync"
	"sync/atomic"
	"testing"
)

// P1: whatever a thief and a reader do meanwhile, each task of a batch is claimed or
// stolen, once, and counted, once.
func TestP1TallyConserves(t *testing.T) {
	const rounds = 60_000
	var ta tally
	var taken [maxBatch]atomic.Int32
	var folded, finished atomic.Uint64
	var fold sync.Mutex // stands for the engine's lock
	foldNow := func() {
		w := ta.fold()
		folded.Add(uint64(part(w, oneCompleted) + part(w, oneSkipped)))
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				fold.Lock()
				if i%2 == 0 {
					for from, to := ta.steal(i%4 == 0); from < to; from++ {
						taken[from].Add(1)
					}
				}
				foldNow()
				fold.Unlock()
			}
		})
	}
	for round := range rounds {
		fold.Lock()
		foldNow()
		ta.fill(maxBatch)
		fold.Unlock()
		i, ok := ta.next(0)
		for n := 0; ok; n++ {
			taken[i].Add(1)
			finished.Add(1)
			if n%3 == 0 {
				ta.count(oneSkipped)
				i, ok = ta.next(0)
			} else {
				i, ok = ta.next(oneCompleted)
			}
		}
		fold.Lock()
		for i := range taken {
			if n := taken[i].Swap(0); n != 1 {
				t.Errorf("round %d: task %d was taken %d times", round, i, n)
			}
		}
		fold.Unlock()
		if t.Failed() {
			break
		}
	}
	close(stop)
	others.Wait()
	if foldNow(); folded.Load() != finished.Load() {
		t.Errorf("%d of %d tasks were counted", folded.Load(), finished.Load())
	}
}
