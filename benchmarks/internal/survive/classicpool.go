package survive

import "sync"

// A classicPool is a pool as tutorials have it.
type classicPool struct {
	jobs    chan func() any
	results chan any
	wg      sync.WaitGroup
}

func newClassicPool(workers int) *classicPool {
	p := &classicPool{jobs: make(chan func() any, 2*workers), results: make(chan any, 10)}
	for range workers {
		p.wg.Go(func() {
			for job := range p.jobs {
				p.results <- job()
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
