package pool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
)

// Conservation in bulk: parts of up to 20,000 tasks each go through every way
// in, under cancels, panics, Goexit, nested work, Resize, and then one of the
// ways to close. Every id runs once, or comes back, or is said not to run; and
// the counts agree. TANDEM_SOAK sets the number of tasks, a few parts by
// default: TANDEM_SOAK=100000000 go test -run Soak -timeout 2h ./pool
func TestSoak(t *testing.T) {
	tasks := 200_000
	if s := os.Getenv("TANDEM_SOAK"); s != "" {
		tasks = must(strconv.Atoi(s))
	} else if testing.Short() || testkit.Race {
		tasks = 20_000
	}
	start, done := time.Now(), 0
	for done < tasks && !t.Failed() {
		seed := rand.Uint64()
		n := min(20_000, max(tasks-done, 1000))
		testkit.Watchdog(t, func() { done += soak(t, seed, n) })
		if t.Failed() {
			t.Fatalf("seed %d, %d tasks", seed, n)
		}
	}
	t.Logf("%d tasks were accepted and ended as they should, in %v", done, time.Since(start))
}

// soak offers n tasks to a pool and returns how many it has accepted.
func soak(t *testing.T, seed uint64, n int) int {
	const submitters = 4
	each := n / submitters
	plan := rand.New(rand.NewPCG(seed, 99))
	ran := testkit.NewLedger(n)
	var accepted, nested atomic.Int64 // by Go; tasks that tasks have run
	var p *pool.Pool[int, int]
	fn := func(ctx context.Context, id int) (int, error) {
		if id < 0 {
			nested.Add(1)
			return 0, nil
		}
		ran.Note(id)
		switch id % 4096 {
		case 1:
			panic(id)
		case 2:
			runtime.Goexit()
		case 3:
			return 0, errTask
		case 4:
			_, _ = p.Do(ctx, -1)
		case 5:
			time.Sleep(time.Microsecond)
		case 6:
			<-time.After(time.Microsecond)
		}
		return id, nil
	}
	opts := []pool.Option{
		pool.WithQueue([]int{0, 1, 64, 1024}[plan.IntN(4)]),
		pool.WithIdleTimeout(time.Duration(plan.IntN(3)) * 50 * time.Microsecond),
	}
	opts = append(opts, ignoreErrors())
	var order *pool.Order[int]
	if plan.IntN(8) == 0 {
		order = new(pool.ByKey(func(id int) int { return id % 10 }))
	}
	p = build(1+plan.IntN(8), order, fn, opts...)
	// didNotRun is called for a task that has a result of its own.
	didNotRun := func(id int, err error) {
		if err == nil && ran.Seen(id) == 0 {
			t.Errorf("task %d has a result and did not run", id)
		}
	}
	var wg sync.WaitGroup
	for s := range submitters {
		rnd := rand.New(rand.NewPCG(seed, uint64(s)))
		wg.Go(func() {
			ctx, cancel := scope(t)
			defer func() { cancel() }()
			for i := 0; i < each; {
				id := s*each + i
				switch rnd.IntN(8) {
				case 0: // a group
					g := p.Group(ctx, pool.CollectAll())
					for range min(1+rnd.IntN(300), each-i) {
						_ = g.Go(s*each + i)
						i++
					}
					if rnd.IntN(10) == 0 {
						cancel()
					}
					for r, err := range g.Results(context.Background()) {
						didNotRun(r.Task, err)
					}
				case 1: // futures
					var fs []*pool.Future[int]
					first := id
					for range min(1+rnd.IntN(100), each-i) {
						f, err := p.Submit(ctx, s*each+i)
						if i++; err != nil {
							didNotRun(s*each+i-1, err)
						}
						fs = append(fs, f)
					}
					for k, f := range fs {
						if f == nil {
							continue
						}
						if rnd.IntN(20) == 0 {
							f.Cancel(errTask)
						}
						_, err := f.Wait(context.Background())
						didNotRun(first+k, err)
					}
				default:
					for range min(1+rnd.IntN(2000), each-i) {
						switch err := p.Go(ctx, s*each+i); {
						case err == nil:
							accepted.Add(1)
						case errors.Is(err, pool.ErrClosed):
							i = each
						}
						i++
					}
				}
				if rnd.IntN(20) == 0 {
					cancel()
				}
				if ctx.Err() != nil {
					ctx, cancel = scope(t)
				}
				if rnd.IntN(10) == 0 {
					p.Resize(1 + rnd.IntN(8))
				}
			}
		})
	}
	var back []int
	switch plan.IntN(5) {
	case 0:
		time.Sleep(time.Duration(plan.IntN(20)) * time.Millisecond)
		back = stop(p)
	case 1:
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(plan.IntN(20))*time.Millisecond)
		defer cancel()
		_ = p.Shutdown(ctx)
	}
	wg.Wait()
	must0(p.Close())
	ran.AtMostOnce(t)
	for _, id := range back {
		if id >= 0 && ran.Seen(id) != 0 { // the others are nested
			t.Errorf("task %d ran and came back", id)
		}
	}
	s := p.Stats()
	checkSum(t, s)
	if s.Workers+s.Queued+s.Running+s.Waiting+s.Blocked != 0 {
		t.Errorf("something is left: %+v", counts(s))
	}
	// What was accepted and not cancelled has run, and the other way round.
	if in := ran.Total() + int(nested.Load()); s.Completed+s.Failed != uint64(in) || s.Submitted < uint64(accepted.Load()) {
		t.Errorf("%d ran, %d were accepted by Go: %+v", in, accepted.Load(), counts(s))
	}
	return int(s.Submitted)
}

// scope returns a context and what ends it.
func scope(t *testing.T) (context.Context, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	return ctx, cancel
}
