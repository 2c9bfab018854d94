package pool_test

import (
	"context"
	"testing"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// FC7, C6: Shutdown and Stop inside a task take effect and do not wait for their caller.
func TestFaultFC7EndInsideATask(t *testing.T) {
	for name, end := range map[string]func(context.Context, *pool.Pool[int, int]) error{
		"Shutdown": func(ctx context.Context, p *pool.Pool[int, int]) error { return p.Shutdown(ctx) },
		"Stop":     func(ctx context.Context, p *pool.Pool[int, int]) error { _, err := p.Stop(ctx); return err },
	} {
		var p *pool.Pool[int, int]
		p = pool.New(1, func(ctx context.Context, n int) (int, error) { return n, end(ctx, p) })
		testkit.Watchdog(t, func() {
			if _, err := p.Do(t.Context(), 1); err != pool.ErrInside {
				t.Errorf("%s: %v", name, err)
			}
			if err := p.Go(t.Context(), 1); err != pool.ErrClosed {
				t.Errorf("%s: it is not closed: %v", name, err)
			}
			must0(p.Close())
		})
	}
}
