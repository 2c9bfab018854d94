package workqueue_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tandemgo/tandem/ports/internal/proof"
	"github.com/tandemgo/tandem/ports/workqueue"
	"github.com/tandemgo/tandem/ports/workqueue/after"
	"github.com/tandemgo/tandem/ports/workqueue/before"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLines(t *testing.T) { proof.Lines(t, 0.60) }

func TestPage(t *testing.T) { proof.Page(t, "Gitea: the work queue") }

// A queue is one of either shape.
type queue interface {
	Push(item int) error
	Flush(ctx context.Context) error
	Shutdown(ctx context.Context) ([]int, error)
	Workers() int
}

type newQueue func(workqueue.Config, workqueue.Handler[int]) queue

func old(c workqueue.Config, h workqueue.Handler[int]) queue { return before.New(c, h) }
func now(c workqueue.Config, h workqueue.Handler[int]) queue { return after.New(c, h) }

// both runs a test on both shapes, each in a bubble. It tells which one has the bug.
func both(t *testing.T, test func(t *testing.T, make newQueue, hasBug bool)) {
	t.Run("before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, old, true) })
	})
	t.Run("after", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, now, false) })
	})
}

// config has as many workers at most as there are from the start, since those that the shape
// before adds are one of its bugs.
func config() workqueue.Config {
	return workqueue.Config{
		QueueLength: 100, BatchLength: 20, BatchDelay: 100 * time.Millisecond, Workers: 2, MaxWorkers: 2,
		BlockTimeout: time.Second, BoostTimeout: 5 * time.Minute,
	}
}

// within returns a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func push(t *testing.T, q queue, n int) {
	for i := range n {
		if err := q.Push(i); err != nil {
			t.Errorf("Push(%d): %v", i, err)
		}
	}
}

// 10283: the queue is full, and workers are added.
func TestWorkersAreAddedWhileTheQueueIsFull(t *testing.T) {
	t.Parallel()
	full := func(t *testing.T, make newQueue) {
		synctest.Test(t, func(t *testing.T) {
			c := config()
			c.QueueLength, c.BatchLength, c.Workers, c.MaxWorkers = 1, 1, 1, 4
			var handled atomic.Int64
			q := make(c, func(_ context.Context, batch []int) []int {
				time.Sleep(time.Minute)
				handled.Add(int64(len(batch)))
				return nil
			})
			start := time.Now()
			push(t, q, 8)
			if took := time.Since(start); took > 2*time.Minute || q.Workers() != 4 {
				t.Errorf("8 items are pushed after %v, there are %d workers", took, q.Workers())
			}
			if err := q.Flush(within(t, time.Hour)); err != nil || handled.Load() != 8 {
				t.Errorf("%d of 8 items are handled, error %v", handled.Load(), err)
			}
			if _, err := q.Shutdown(within(t, time.Hour)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("before", func(t *testing.T) {
		proof.Hangs(t, func(t *testing.T) { full(t, old) }, "before.(*Queue[...]).boost", "before.(*Queue[...]).addWorkers")
	})
	t.Run("after", func(t *testing.T) { full(t, now) })
}

// 18593: a queue is flushed that has been shut down and is not empty.
func TestFlushAfterShutdown(t *testing.T) {
	both(t, func(t *testing.T, make newQueue, hasBug bool) {
		q := make(config(), func(ctx context.Context, batch []int) []int {
			<-ctx.Done()
			return batch
		})
		push(t, q, 100)
		_, _ = q.Shutdown(within(t, 10*time.Second))
		start := time.Now()
		err := q.Flush(within(t, time.Hour))
		if cycled := time.Since(start) > 0; cycled != hasBug || errors.Is(err, workqueue.ErrClosed) == hasBug {
			t.Errorf("Flush returned %v after %v", err, time.Since(start))
		}
	})
}

// 20505: the rest of the queue is handled at shutdown in a select that also has the end of a
// context, which has come already. What is left is lost.
func TestNothingIsLostAtShutdown(t *testing.T) {
	both(t, func(t *testing.T, make newQueue, hasBug bool) {
		var handled atomic.Int64
		q := make(config(), func(_ context.Context, batch []int) []int {
			time.Sleep(time.Second)
			handled.Add(int64(len(batch)))
			return nil
		})
		push(t, q, 130)
		back, err := q.Shutdown(within(t, 10*time.Minute))
		t.Logf("%d of 130 items were handled, %d handed back, error %v", handled.Load(), len(back), err)
		if lost := int(handled.Load())+len(back) != 130; lost != hasBug {
			t.Errorf("%d of 130 items were handled, %d handed back", handled.Load(), len(back))
		}
	})
}

// 23050: handlers that run have until the deadline of the shutdown. They are cancelled at once.
func TestHandlersMayEnd(t *testing.T) {
	both(t, func(t *testing.T, make newQueue, hasBug bool) {
		var cancelled atomic.Bool // two workers may share the items
		q := make(config(), func(ctx context.Context, batch []int) []int {
			select {
			case <-ctx.Done():
				cancelled.Store(true)
				return batch
			case <-time.After(10 * time.Second):
				return nil
			}
		})
		push(t, q, 20)
		time.Sleep(time.Second)
		back, err := q.Shutdown(within(t, time.Minute))
		if cancelled.Load() != hasBug || (len(back) == 20) != hasBug || (err != nil) && !hasBug {
			t.Errorf("it is cancelled: %v; %d items come back, error %v", cancelled.Load(), len(back), err)
		}
	})
}

// A batch of which no item could be handled comes again later. At the deadline handlers are
// cancelled, and Push returns an error.
func TestUnhandled(t *testing.T) {
	both(t, func(t *testing.T, make newQueue, _ bool) {
		var calls atomic.Int64
		start := time.Now()
		q := make(config(), func(_ context.Context, batch []int) []int {
			if calls.Add(1) == 1 {
				return batch
			}
			return nil
		})
		push(t, q, 5)
		if err := q.Flush(within(t, time.Hour)); err != nil || calls.Load() < 2 || time.Since(start) < workqueue.Backoff {
			t.Errorf("%d calls, error %v, after %v", calls.Load(), err, time.Since(start))
		}
		if back, _ := q.Shutdown(within(t, time.Hour)); len(back) != 0 || !errors.Is(q.Push(1), workqueue.ErrClosed) {
			t.Errorf("%d items come back, or Push works after it", len(back))
		}
	})
}

// Two minutes of a server's life, in simulated time: pushes in bursts, handlers of 50 to 150 ms,
// some items that are to be handled later, and flushes. Every item is handled once.
func TestTwoMinutes(t *testing.T) {
	both(t, func(t *testing.T, make newQueue, _ bool) { workload(t, make, 2*time.Minute, time.Second) })
}

// The same in real time, five hundred times as fast.
func TestRealTime(t *testing.T) {
	t.Run("before", func(t *testing.T) { workload(t, old, time.Second/2, 2*time.Millisecond) })
	t.Run("after", func(t *testing.T) { workload(t, now, time.Second/2, 2*time.Millisecond) })
}

func workload(t *testing.T, make newQueue, d, second time.Duration) {
	c := config()
	c.QueueLength = 10_000
	c.BatchDelay = second / 10
	var mu sync.Mutex
	times := map[int]int{} // of each item
	q := make(c, func(_ context.Context, batch []int) (unhandled []int) {
		time.Sleep(second/20 + rand.N(second/10))
		mu.Lock()
		defer mu.Unlock()
		if len(batch) > c.BatchLength {
			t.Errorf("a batch has %d items", len(batch))
		}
		for i, item := range batch {
			if i > 0 && rand.N(100) == 0 {
				unhandled = append(unhandled, item)
			} else {
				times[item]++
			}
		}
		return unhandled
	})
	var pushed atomic.Int64
	var pushers sync.WaitGroup
	start := time.Now()
	for range 3 {
		pushers.Go(func() {
			for time.Since(start) < d {
				for range rand.N(30) {
					if err := q.Push(int(pushed.Add(1))); err != nil {
						t.Error(err)
					}
				}
				time.Sleep(rand.N(second / 2))
			}
		})
	}
	pushers.Wait()
	if err := q.Flush(within(t, time.Minute)); err != nil {
		t.Error(err)
	}
	back, err := q.Shutdown(within(t, time.Minute))
	if len(back) != 0 || err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("%d items come back, error %v", len(back), err)
	}
	for item, n := range times {
		if n != 1 {
			t.Errorf("item %d was handled %d times", item, n)
		}
	}
	if int64(len(times)) != pushed.Load() {
		t.Errorf("%d of %d items were handled", len(times), pushed.Load())
	}
	t.Logf("%d items", pushed.Load())
}

// BenchmarkPush pushes from two goroutines and flushes.
func BenchmarkPush(b *testing.B) {
	run := func(make newQueue) func(*testing.B, int) {
		return func(_ *testing.B, n int) {
			c := config()
			c.QueueLength = 1000
			var handled atomic.Int64
			q := make(c, func(_ context.Context, batch []int) []int {
				handled.Add(int64(len(batch)))
				return nil
			})
			var pushers sync.WaitGroup
			for range 2 {
				pushers.Go(func() {
					for i := range n / 2 {
						_ = q.Push(i)
					}
				})
			}
			pushers.Wait()
			for handled.Load() < int64(n)-2*int64(c.BatchLength) { // the rest waits for its age
				time.Sleep(10 * time.Microsecond)
			}
			_, _ = q.Shutdown(context.Background())
		}
	}
	proof.Paired(b, 200_000, run(old), run(now))
}
