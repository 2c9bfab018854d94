package pool_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// A conn is a state that tells when it is misused.
type conn struct{ open, busy atomic.Bool }

type conns struct {
	t              *testing.T
	opened, closed atomic.Int64
}

func (c *conns) open(context.Context) (*conn, error) {
	c.opened.Add(1)
	s := new(conn)
	s.open.Store(true)
	return s, nil
}

func (c *conns) close(s *conn) error {
	c.closed.Add(1)
	if !s.open.Swap(false) {
		c.t.Error("a state is closed twice")
	}
	if s.busy.Load() {
		c.t.Error("a state is closed while it is in use")
	}
	return nil
}

// use runs f with the state.
func (c *conns) use(s *conn, f func()) {
	if !s.open.Load() {
		c.t.Error("a state is used that is closed")
	}
	if s.busy.Swap(true) {
		c.t.Error("a state is used by two tasks at once")
	}
	defer s.busy.Store(false)
	f()
}

// P8: states are opened once a worker and closed once, through panics, Goexit,
// Resize, idling, and each way to close.
func TestP8StatesAreOpenedAndClosedOnce(t *testing.T) {
	for name, end := range map[string]func(*pool.Pool[int, int]){
		"Close": func(p *pool.Pool[int, int]) { must0(p.Close()) },
		"Stop":  func(p *pool.Pool[int, int]) { stop(p) },
		"Shutdown": func(p *pool.Pool[int, int]) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = p.Shutdown(ctx)
			must0(p.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := &conns{t: t}
			p := pool.NewStateful(4, c.open, func(_ context.Context, s *conn, n int) (int, error) {
				c.use(s, func() {
					switch n % 7 {
					case 1:
						panic(n)
					case 2:
						runtime.Goexit()
					case 3:
						runtime.Gosched()
					}
				})
				return n, nil
			}, c.close, pool.WithIdleTimeout(time.Microsecond))
			testkit.Watchdog(t, func() {
				for round := range 40 {
					p.Resize(1 + round%4)
					g := p.Group(t.Context(), pool.CollectAll())
					for n := range 30 {
						accept(g.Go(n))
					}
					if round%4 == 0 {
						_, _ = g.Wait(context.Background())
						continue
					}
					defer g.Wait(context.Background())
				}
				end(p)
			})
			if o, c := c.opened.Load(), c.closed.Load(); o == 0 || o != c {
				t.Errorf("%d states opened, %d closed", o, c)
			}
		})
	}
}

// P8: a panic or a Goexit does not cost the state, and idling closes it.
func TestP8StateOutlivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &conns{t: t}
		p := pool.NewStateful(1, c.open, func(_ context.Context, s *conn, n int) (int, error) {
			switch n {
			case 1:
				panic(n)
			case 2:
				runtime.Goexit()
			}
			return n, nil
		}, c.close, pool.WithIdleTimeout(time.Minute))
		for n := range 6 {
			_, _ = p.Do(t.Context(), n%3)
		}
		if c.opened.Load() != 1 || c.closed.Load() != 0 {
			t.Errorf("after failures: %d opened, %d closed", c.opened.Load(), c.closed.Load())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if c.closed.Load() != 1 {
			t.Error("an idle worker keeps its state")
		}
		must(p.Do(t.Context(), 0))
		must0(p.Close())
		if c.opened.Load() != 2 || c.closed.Load() != 2 {
			t.Errorf("at the end: %d opened, %d closed", c.opened.Load(), c.closed.Load())
		}
	})
}

// P8: if a state cannot be opened, tasks fail with that error, and the next one
// tries again. A panic or a Goexit is an error too.
func TestP8OpenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("database is down")
		try := 0
		p := pool.NewStateful(1, func(context.Context) (int, error) {
			switch try++; try {
			case 1:
				return 0, down
			case 2:
				panic(down)
			case 3:
				runtime.Goexit()
			}
			return 40, nil
		}, func(_ context.Context, s, n int) (int, error) { return s + n, nil },
			func(int) error { return errors.New("cannot close") })
		g := p.Group(t.Context())
		accept(g.Go(1))
		if _, err := g.Wait(context.Background()); !errors.Is(err, down) || !strings.Contains(err.Error(), "pool: opening the state of a worker") {
			t.Errorf("got %v, want %v", err, down)
		}
		if _, err := p.Do(t.Context(), 1); !errors.Is(err, down) {
			t.Errorf("panic: %v", err)
		}
		if _, err := p.Do(t.Context(), 1); !errors.Is(err, pool.ErrGoexit) {
			t.Errorf("Goexit: %v", err)
		}
		if v, err := p.Do(t.Context(), 2); v != 42 || err != nil {
			t.Errorf("once it can be opened: %d, %v", v, err)
		}
		s := p.Stats()
		checkSum(t, s)
		if s.Failed != 3 || s.Completed != 1 {
			t.Errorf("%+v", counts(s))
		}
		for range 2 {
			if err := p.Close(); err == nil || !strings.Contains(err.Error(), "cannot close") {
				t.Errorf("Close: %v", err)
			}
		}
	})
}

// P8, P5: a task that runs in place has a state of its own.
func TestP8StateOfTasksInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &conns{t: t}
		var p *pool.Pool[int, int]
		p = pool.NewStateful(1, c.open, func(ctx context.Context, s *conn, n int) (int, error) {
			switch n {
			case 0:
				c.use(s, func() { time.Sleep(time.Second) })
			case 1:
				must(p.Do(ctx, 0))
			case 2:
				c.use(s, func() {
					var wg sync.WaitGroup
					for range 3 {
						wg.Go(func() { must(p.Do(ctx, 0)) })
					}
					wg.Wait()
				})
			}
			return 0, nil
		}, c.close)
		must(p.Do(t.Context(), 1))
		if o, c := c.opened.Load(), c.closed.Load(); o != 2 || c != 1 {
			t.Errorf("%d states opened and %d closed for a task that waits for one in place, want 2 and 1", o, c)
		}
		must(p.Do(t.Context(), 2))
		must0(p.Close())
		if o, c := c.opened.Load(), c.closed.Load(); o != 5 || c != 5 {
			t.Errorf("%d opened, %d closed, want 5", o, c)
		}
	})
}

// C3: the function that opens a state may call every method with its context, also in a pool
// with one worker; the one that closes it has none, and may call those that do not block.
func TestC3MethodsInsideTheFunctionsOfAState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *pool.Pool[int, int]
		var opened, closed atomic.Int64
		p = pool.NewStateful(1, func(ctx context.Context) (int, error) {
			if opened.Add(1) > 1 { // these calls open states, too
				return 0, nil
			}
			must(p.Do(ctx, 0))
			must(must(p.Submit(ctx, 0)).Wait(ctx))
			must0(p.Go(ctx, 0))
			g := p.Group(ctx)
			accept(g.Go(0))
			must(g.Wait(ctx))
			for _, err := range p.Map(ctx, count(3)) {
				must0(err)
			}
			p.Resize(2)
			p.Resize(1)
			checkSum(t, p.Stats())
			if err := p.Wait(ctx); err != pool.ErrInside {
				t.Errorf("Wait: %v", err)
			}
			if err := p.Shutdown(ctx); err != pool.ErrInside {
				t.Errorf("Shutdown: %v", err)
			}
			return 0, nil
		}, func(context.Context, int, int) (int, error) { return 0, nil }, func(int) error {
			closed.Add(1)
			p.Resize(1)
			checkSum(t, p.Stats())
			_ = p.TryGo(context.Background(), 0)
			return nil
		})
		must(p.Do(t.Context(), 1))
		must0(p.Close())
		checkSum(t, p.Stats())
		if opened.Load() != closed.Load() {
			t.Errorf("%d opened, %d closed", opened.Load(), closed.Load())
		}
	})
}

// C5: nil functions are misuse.
func TestC5StatefulMisusePanics(t *testing.T) {
	c := &conns{t: t}
	fn := func(context.Context, *conn, int) (int, error) { return 0, nil }
	testkit.Panics(t, map[string]func(){
		"pool: NewStateful: workers must be at least 1, got 0": func() { pool.NewStateful(0, c.open, fn, c.close) },
		"pool: NewStateful: functions must not be nil":         func() { pool.NewStateful(1, nil, fn, c.close) },
	})
}
