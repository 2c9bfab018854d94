// Package before is the queue on channels, locks and goroutines of its own.
package before

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/ports/workqueue"
)

// A Queue hands items to a handler, in batches.
type Queue[T any] struct {
	cfg     workqueue.Config
	handle  workqueue.Handler[T]
	items   chan T
	pending atomic.Int64 // pushed, and not handled
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup

	mu           sync.Mutex
	workers      int
	blockTimeout time.Duration

	backMu sync.Mutex
	back   []T // handed back
}

// New starts a queue.
func New[T any](cfg workqueue.Config, handle workqueue.Handler[T]) *Queue[T] {
	q := &Queue[T]{cfg: cfg, handle: handle, items: make(chan T, cfg.QueueLength), blockTimeout: cfg.BlockTimeout}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	q.addWorkers(q.ctx, cfg.Workers)
	return q
}

// Push adds an item. It waits while the queue is full, and adds workers if that takes long.
func (q *Queue[T]) Push(item T) error {
	if q.ctx.Err() != nil {
		return workqueue.ErrClosed
	}
	q.pending.Add(1)
	select {
	case q.items <- item:
		return nil
	default:
	}
	q.mu.Lock()
	timer := time.NewTimer(q.blockTimeout)
	q.mu.Unlock()
	defer timer.Stop()
	select {
	case q.items <- item:
		return nil
	case <-timer.C:
		q.boost()
	case <-q.ctx.Done():
		q.pending.Add(-1)
		return workqueue.ErrClosed
	}
	select {
	case q.items <- item:
		return nil
	case <-q.ctx.Done():
		q.pending.Add(-1)
		return workqueue.ErrClosed
	}
}

// Workers returns how many workers there are.
func (q *Queue[T]) Workers() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.workers
}

// boost adds workers for some time. Until they have ended, the next ones come later.
func (q *Queue[T]) boost() {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.cfg.MaxWorkers - q.workers
	if n <= 0 {
		return
	}
	q.blockTimeout *= 2
	ctx, cancel := context.WithTimeout(q.ctx, q.cfg.BoostTimeout)
	context.AfterFunc(ctx, func() {
		cancel()
		q.mu.Lock()
		q.blockTimeout /= 2
		q.mu.Unlock()
	})
	q.addWorkers(ctx, n)
}

func (q *Queue[T]) addWorkers(ctx context.Context, n int) {
	for range n {
		q.mu.Lock()
		q.workers++
		q.mu.Unlock()
		q.wg.Go(func() {
			q.work(ctx)
			q.mu.Lock()
			q.workers--
			q.mu.Unlock()
		})
	}
}

func (q *Queue[T]) work(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	var batch []T
	for {
		select {
		case <-ctx.Done():
			q.handleBatch(batch)
			return
		case item := <-q.items:
			batch = append(batch, item)
			if len(batch) < q.cfg.BatchLength {
				if len(batch) == 1 {
					timer.Reset(q.cfg.BatchDelay)
				}
				continue
			}
			timer.Stop()
		case <-timer.C:
		}
		q.handleBatch(batch)
		batch = nil
	}
}

func (q *Queue[T]) handleBatch(batch []T) {
	if len(batch) == 0 {
		return
	}
	unhandled := q.handle(q.ctx, batch)
	if len(unhandled) == len(batch) {
		select {
		case <-time.After(workqueue.Backoff):
		case <-q.ctx.Done():
		}
	}
	for _, item := range unhandled {
		if q.Push(item) != nil {
			q.backMu.Lock()
			q.back = append(q.back, item)
			q.backMu.Unlock()
		}
	}
	q.pending.Add(-int64(len(batch)))
}

// Flush handles all items that wait, and returns when none is left.
func (q *Queue[T]) Flush(ctx context.Context) error {
	for q.pending.Load() > 0 {
		_ = q.drain(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// drain handles items until there is none in the channel.
func (q *Queue[T]) drain(ctx context.Context) error {
	for {
		select {
		case item := <-q.items:
			q.handleBatch([]T{item})
		case <-q.ctx.Done():
			return q.ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		default:
			return nil
		}
	}
}

// Shutdown takes no more items, and handles those that wait until ctx ends. It returns the
// items that were not handled.
func (q *Queue[T]) Shutdown(ctx context.Context) ([]T, error) {
	q.cancel()
	err := q.drain(ctx)
	done := make(chan struct{})
	go func() {
		q.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("workqueue: workers still run: %w", ctx.Err())
	}
	q.backMu.Lock()
	defer q.backMu.Unlock()
	return q.back, err
}
