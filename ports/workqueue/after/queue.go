// Package after is the queue on package pool.
package after

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ports/workqueue"
)

// A Queue hands items to a handler, in batches.
type Queue[T any] struct {
	cfg     workqueue.Config
	handle  workqueue.Handler[T]
	batches *pool.Pool[[]T, struct{}]

	mu     sync.Mutex
	next   []T         // the batch that is being filled
	timer  *time.Timer // ends it
	closed bool
	back   []T            // handed back
	submit sync.WaitGroup // of batches that wait for room
}

// New returns a queue.
func New[T any](cfg workqueue.Config, handle workqueue.Handler[T]) *Queue[T] {
	q := &Queue[T]{cfg: cfg, handle: handle}
	q.batches = pool.New(cfg.MaxWorkers, q.run, pool.WithQueue(cfg.QueueLength/cfg.BatchLength))
	q.timer = time.AfterFunc(cfg.BatchDelay, func() { _ = q.endBatch() })
	return q
}

// Push adds an item. It waits while the queue is full.
func (q *Queue[T]) Push(item T) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return workqueue.ErrClosed
	}
	q.next = append(q.next, item)
	n := len(q.next)
	if n < q.cfg.BatchLength {
		q.mu.Unlock()
		if n == 1 {
			q.timer.Reset(q.cfg.BatchDelay)
		}
		return nil
	}
	q.submitLocked()
	return nil
}

// Workers returns how many workers there are.
func (q *Queue[T]) Workers() int { return q.batches.Stats().Workers }

// endBatch submits the batch that is being filled.
func (q *Queue[T]) endBatch() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return workqueue.ErrClosed
	}
	q.submitLocked()
	return nil
}

// submitLocked puts the batch in the queue without the lock, or hands it back.
func (q *Queue[T]) submitLocked() {
	batch := q.next
	q.next = nil
	q.submit.Add(1)
	defer q.submit.Done()
	q.mu.Unlock()
	q.put(context.Background(), batch)
}

func (q *Queue[T]) put(ctx context.Context, batch []T) {
	if len(batch) > 0 && q.batches.Go(ctx, batch) != nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.back = append(q.back, batch...)
	}
}

func (q *Queue[T]) run(ctx context.Context, batch []T) (none struct{}, _ error) {
	unhandled := q.handle(ctx, batch)
	if len(unhandled) == len(batch) {
		select {
		case <-time.After(workqueue.Backoff):
		case <-ctx.Done():
		}
	}
	q.put(ctx, unhandled)
	return none, nil
}

// Flush handles all items that wait, and returns when none is left.
func (q *Queue[T]) Flush(ctx context.Context) error {
	if err := q.endBatch(); err != nil {
		return err
	}
	return q.batches.Wait(ctx)
}

// Shutdown takes no more items, and lets running handlers end until ctx ends. It returns the
// items that were not handled.
func (q *Queue[T]) Shutdown(ctx context.Context) ([]T, error) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	batches, err := q.batches.Stop(ctx)
	q.submit.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Concat(append(batches, q.next, q.back)...), err
}
