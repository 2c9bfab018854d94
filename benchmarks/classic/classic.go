// Package classic has a pool, a limiter and a bus as in tutorials, with values of type any
// and channels. Tandem is compared with them.
package classic

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Pool calls a function for each value that is sent to Jobs, and sends the results to
// Results, which must be read.
type Pool struct {
	Jobs    chan any
	Results chan any
	wg      sync.WaitGroup
}

// NewPool starts the workers. Results has the given room.
func NewPool(ctx context.Context, workers, results int, fn func(any) any) *Pool {
	p := &Pool{Jobs: make(chan any, workers*2), Results: make(chan any, results)}
	for range workers {
		p.wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case job, ok := <-p.Jobs:
					if !ok {
						return
					}
					p.Results <- fn(job)
				}
			}
		})
	}
	return p
}

// Close waits for all jobs.
func (p *Pool) Close() {
	close(p.Jobs)
	p.wg.Wait()
	close(p.Results)
}

// A Limiter is a channel of tokens filled by a ticker.
type Limiter struct{ tokens, done chan struct{} }

// NewLimiter returns a limiter with a full burst.
func NewLimiter(burst int, every time.Duration) *Limiter {
	l := &Limiter{tokens: make(chan struct{}, burst), done: make(chan struct{})}
	for range burst {
		l.tokens <- struct{}{}
	}
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				select {
				case l.tokens <- struct{}{}:
				default:
				}
			case <-l.done:
				return
			}
		}
	}()
	return l
}

// Allow takes a token if there is one.
func (l *Limiter) Allow() bool {
	select {
	case <-l.tokens:
		return true
	default:
		return false
	}
}

// Close ends the ticker.
func (l *Limiter) Close() { close(l.done) }

// A Bus has a channel for each subscriber, behind a lock.
type Bus struct {
	Room int // of each channel
	mu   sync.RWMutex
	subs []chan any
}

// Subscribe returns the channel of a new subscriber, and a function that unsubscribes.
func (b *Bus) Subscribe() (values <-chan any, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan any, b.Room)
	b.subs = append(b.subs, ch)
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		i := slices.Index(b.subs, ch)
		b.subs = slices.Delete(b.subs, i, i+1)
		close(ch)
	}
}

// Send waits for subscribers without room. It takes a context, as all classic code does.
func (b *Bus) Send(ctx context.Context, v any) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, ch := range b.subs {
		select {
		case <-ctx.Done():
			return
		case ch <- v:
		}
	}
}

// Close closes all channels.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ch := range b.subs {
		close(ch)
	}
}
