package benchmarks

import (
	"context"
	"sync"
	"time"
)

// The classic versions: what is passed around in tutorials, with any for values.
// Where one would deadlock or lose values in this work, it is given buffers that
// are large enough, or waits.

type classicPool struct {
	jobs    chan any
	results chan error
	wg      sync.WaitGroup
}

func newClassicPool(ctx context.Context, workers, results int, fn func(any) error) *classicPool {
	p := &classicPool{jobs: make(chan any, workers*2), results: make(chan error, results)}
	for range workers {
		p.wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case job, ok := <-p.jobs:
					if !ok {
						return
					}
					p.results <- fn(job)
				}
			}
		})
	}
	return p
}

func (p *classicPool) close() {
	close(p.jobs)
	p.wg.Wait()
	close(p.results)
}

func classicStage(ctx context.Context, in <-chan any, fn func(any) any) <-chan any {
	out := make(chan any)
	go func() {
		defer close(out)
		for v := range in {
			select {
			case <-ctx.Done():
				return
			case out <- fn(v):
			}
		}
	}()
	return out
}

func classicSource(ctx context.Context, n int) <-chan any {
	out := make(chan any)
	go func() {
		defer close(out)
		for i := range n {
			select {
			case <-ctx.Done():
				return
			case out <- i:
			}
		}
	}()
	return out
}

func classicFanIn(ctx context.Context, ins ...<-chan any) <-chan any {
	var wg sync.WaitGroup
	out := make(chan any)
	for _, in := range ins {
		wg.Go(func() {
			for v := range in {
				select {
				case <-ctx.Done():
					return
				case out <- v:
				}
			}
		})
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out
}

type classicLimiter struct {
	tokens chan struct{}
	done   chan struct{}
}

func newClassicLimiter(perSecond int) *classicLimiter {
	l := &classicLimiter{tokens: make(chan struct{}, perSecond), done: make(chan struct{})}
	for range perSecond {
		l.tokens <- struct{}{}
	}
	go func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
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

func (l *classicLimiter) allow() bool {
	select {
	case <-l.tokens:
		return true
	default:
		return false
	}
}

type classicBroadcast struct {
	mu   sync.RWMutex
	subs []chan any
}

func (b *classicBroadcast) subscribe(buf int) <-chan any {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := make(chan any, buf)
	b.subs = append(b.subs, ch)
	return ch
}

func (b *classicBroadcast) send(ctx context.Context, v any) {
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

func (b *classicBroadcast) close() {
	for _, ch := range b.subs {
		close(ch)
	}
}
