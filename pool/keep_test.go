package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/tandemgo/tandem/pool"
)

// A blob is large enough to be an object of its own.
type blob [1 << 16]byte

// A watched knows whether things have been collected that were in it.
type watched map[string]weak.Pointer[blob]

func (w watched) make(name string) *blob {
	b := new(blob)
	w[name] = weak.Make(b)
	return b
}

// check fails for all that is still there when everybody has come to rest.
func (w watched) check(t *testing.T) {
	t.Helper()
	left := func() (names []string) {
		for name, p := range w {
			if p.Value() != nil {
				names = append(names, name)
			}
		}
		return names
	}
	for try := 0; try < 20 && (try == 0 || left() != nil); try++ {
		synctest.Wait()
		runtime.GC()
		runtime.Gosched()
	}
	for _, name := range left() {
		t.Errorf("kept: %s", name)
	}
}

type blobPool = pool.Pool[*blob, *blob]

// blobOrders has the orders of some shapes of pools.
var blobOrders = map[string]*pool.Order[*blob]{"key": new(pool.ByKey(one)), "priority": new(pool.ByPriority(time.Second, one))}

func one(*blob) int { return 1 }

// submissions lists every way to give a pool a task; what it returns is the handle, which
// is kept. The tasks end as their error says.
var submissions = map[string]func(ctx context.Context, p *blobPool, b *blob, w watched) (handle any){
	"Go":    func(ctx context.Context, p *blobPool, b *blob, w watched) any { _ = p.Go(ctx, b); return nil },
	"TryGo": func(ctx context.Context, p *blobPool, b *blob, w watched) any { _ = p.TryGo(ctx, b); return nil },
	"Submit": func(ctx context.Context, p *blobPool, b *blob, w watched) any {
		f, err := p.Submit(ctx, b)
		if err == nil {
			_, _ = f.Wait(context.Background())
		}
		return f
	},
	"Submit, not waited for": func(ctx context.Context, p *blobPool, b *blob, w watched) any {
		f, _ := p.Submit(ctx, b)
		return f
	},
	"Submit and Done": func(ctx context.Context, p *blobPool, b *blob, w watched) any {
		f, err := p.TrySubmit(ctx, b)
		if err == nil {
			<-f.Done()
		}
		return f
	},
	"Submit and Cancel": func(ctx context.Context, p *blobPool, b *blob, w watched) any {
		f, err := p.TrySubmit(ctx, b)
		if err == nil {
			f.Cancel(nil)
			<-f.Done()
		}
		return f
	},
	"Do": func(ctx context.Context, p *blobPool, b *blob, w watched) any { _, _ = p.Do(ctx, b); return nil },
	"Group": func(ctx context.Context, p *blobPool, b *blob, w watched) any {
		g := p.Group(ctx)
		_ = g.Go(b)
		_, _ = g.Wait(context.Background())
		return g
	},
	"Results": func(ctx context.Context, p *blobPool, b *blob, w watched) any {
		g := p.Group(ctx, pool.CollectAll())
		_ = g.Go(b)
		for range g.Results(context.Background()) {
		}
		return g
	},
	"Results, left": func(ctx context.Context, p *blobPool, b *blob, w watched) any {
		g := p.Group(ctx, pool.CollectAll())
		_ = g.Go(b)
		_ = g.Go(nil)
		for range g.Results(context.Background()) {
			break
		}
		return g
	},
	"Map": func(ctx context.Context, p *blobPool, b *blob, w watched) any {
		for range p.Map(ctx, func(yield func(*blob) bool) { yield(b) }) {
		}
		return nil
	},
	"Map, left": func(ctx context.Context, p *blobPool, b *blob, w watched) any {
		for range p.Map(ctx, func(yield func(*blob) bool) { _ = yield(nil) && yield(b) }, pool.Unordered()) {
			break
		}
		return nil
	},
}

// C8: of what is over an idle pool keeps nothing, neither tasks nor results, contexts or
// their values, however it was submitted and ended; a future and a group that are kept have
// their results, and nothing else.
func TestC8AnIdlePoolKeepsNothing(t *testing.T) {
	for shape, opts := range map[string][]pool.Option{
		"plain":    nil,
		"min":      {pool.WithMinWorkers(2)},
		"key":      {pool.WithMinWorkers(2)},
		"priority": {pool.WithMinWorkers(2)},
		"named":    {pool.WithMinWorkers(2), pool.WithName("named")},
		"handler":  {pool.WithMinWorkers(2), pool.WithErrorHandler(func(context.Context, error) {})},
		"stateful": {pool.WithMinWorkers(2)},
	} {
		for _, ends := range []string{"returns", "asks", "fails", "panics", "exits", "refused"} {
			for _, then := range []string{"rests", "Background", "closes", "ends", "is lost"} {
				if then != "rests" && (shape != "plain" && shape != "key" || ends != "returns" && ends != "asks") {
					continue
				}
				t.Run(fmt.Sprint(shape, "/", ends, "/", then), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { idlePoolKeepsNothing(t, shape, ends, then, opts) })
				})
			}
		}
	}
}

// idlePoolKeepsNothing tries every way to submit, with a pool for each.
func idlePoolKeepsNothing(t *testing.T, shape, ends, then string, opts []pool.Option) {
	type value struct{}
	w := watched{}
	run := func(ctx context.Context, b *blob) (*blob, error) {
		switch ends {
		case "asks":
			_ = ctx.Done()
		case "fails":
			return nil, errors.New("fails")
		case "panics":
			panic("panics")
		case "exits":
			runtime.Goexit()
		}
		return nil, nil
	}
	var pools []*blobPool
	var handles []any
	for name, submit := range submissions {
		root, endRoot := context.WithCancel(context.Background())
		defer endRoot()
		all := append(slices.Clip(opts), pool.WithContext(root))
		if ends == "panics" && shape != "handler" {
			all = append(all, ignoreErrors()) // the panic of a task of Go would end the program
		}
		p := build(2, blobOrders[shape], run, all...)
		if shape == "stateful" {
			p = pool.NewStateful(2, func(context.Context) (int, error) { return 0, nil },
				func(ctx context.Context, _ int, b *blob) (*blob, error) { return run(ctx, b) },
				func(int) error { return nil }, all...)
		}
		if ends == "refused" {
			p.Close()
		}
		long, cancel := context.WithCancel(context.Background()) // lives longer
		defer cancel()
		handle := func() any {
			ctx := context.WithValue(long, value{}, w.make(name+": value"))
			if then == "ends" || then == "is lost" {
				var cancel context.CancelFunc
				ctx, cancel = context.WithCancel(context.WithValue(context.Background(), value{}, w.make(name+": value below")))
				defer map[string]func(){"ends": cancel, "is lost": func() {}}[then]()
				ctx = context.WithValue(ctx, value{}, w.make(name+": value above"))
			}
			return submit(ctx, p, w.make(name+": task"), w)
		}()
		synctest.Wait()
		switch then {
		case "Background":
			_ = p.Go(context.Background(), nil)
		case "closes":
			p.Close()
		}
		pools, handles = append(pools, p), append(handles, handle)
	}
	w.check(t)
	runtime.KeepAlive(handles)
	for _, p := range pools {
		p.Close()
	}
}

// C8: nor a result that nobody has any more.
func TestC8AnIdlePoolKeepsNoResult(t *testing.T) {
	for name, submit := range submissions {
		synctest.Test(t, func(t *testing.T) {
			w := watched{}
			p := pool.New(1, func(context.Context, *blob) (*blob, error) { return w.make("result"), nil }, pool.WithMinWorkers(1))
			func() { _ = submit(context.Background(), p, nil, w) }()
			synctest.Wait()
			if len(w) == 0 && name != "Submit and Cancel" {
				t.Errorf("%s: no task has run", name)
			}
			w.check(t)
			p.Close()
		})
	}
}

// C8: what Stop hands back, and what is cancelled in the queue, is not kept by the pool.
func TestC8StoppedTasksAreNotKept(t *testing.T) {
	for _, how := range []string{"Stop", "Shutdown", "root"} {
		for shape, opts := range map[string][]pool.Option{
			"plain":    nil,
			"key":      nil,
			"priority": nil,
			"handler":  {pool.WithErrorHandler(func(context.Context, error) {})},
		} {
			t.Run(how+" "+shape, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := watched{}
					root, endRoot := context.WithCancel(context.Background())
					gate := make(chan struct{})
					p := build(1, blobOrders[shape], func(context.Context, *blob) (*blob, error) { <-gate; return nil, nil },
						append(slices.Clip(opts), pool.WithContext(root))...)
					must0(p.Go(context.Background(), nil))
					var fs []*pool.Future[*blob]
					g := p.Group(context.Background())
					func() {
						must0(p.Go(context.WithValue(context.Background(), keyed{}, w.make("context")), w.make("task")))
						fs = append(fs, must(p.Submit(context.WithValue(context.Background(), keyed{}, w.make("context of a future")), w.make("task of a future"))))
						accept(g.Go(w.make("task of a group")))
					}()
					synctest.Wait()
					func() {
						switch how {
						case "Stop":
							go func() {
								if n := len(stop(p)); n != 3 {
									t.Errorf("handed back %d", n)
								}
							}()
						case "Shutdown":
							ended, cancel := context.WithCancel(context.Background())
							cancel()
							_ = p.Shutdown(ended)
						case "root":
							endRoot()
						}
					}()
					synctest.Wait()
					close(gate)
					synctest.Wait()
					_, _ = g.Wait(context.Background())
					w.check(t)
					runtime.KeepAlive(fs)
					runtime.KeepAlive(p)
					runtime.KeepAlive(g)
					endRoot()
					p.Close()
				})
			})
		}
	}
}
