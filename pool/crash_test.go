package pool_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/pool"
)

// A panicker panics in a task.
func panicker(context.Context, int) (int, error) { panic("boom") }

// crashes lists programs that a panic ends.
var crashes = map[string]func(ctx context.Context){
	"the error handler": func(ctx context.Context) {
		p := pool.New(1, func(context.Context, int) (int, error) { return 0, errTask },
			pool.WithErrorHandler(func(context.Context, error) { panic("boom") }))
		must0(p.Go(ctx, 1))
		_ = p.Close()
	},
	"Go": func(ctx context.Context) {
		p := pool.New(1, panicker)
		must0(p.Go(ctx, 1))
		_ = p.Close()
	},
	"TryGo": func(ctx context.Context) {
		p := pool.New(1, panicker)
		must0(p.TryGo(ctx, 1))
		_ = p.Wait(ctx)
	},
	"Go, keys": func(ctx context.Context) {
		p := pool.NewOrdered(1, pool.ByKey(func(n int) int { return n }), panicker)
		must0(p.Go(ctx, 1))
		_ = p.Close()
	},
	"Go, in place": func(ctx context.Context) {
		var p *pool.Pool[int, int]
		p = pool.NewOrdered(1, pool.ByKey(func(n int) int { return n % 2 }), func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				must0(p.Go(ctx, 1))
				return p.Do(ctx, 3) // behind the other one
			}
			panic("boom")
		})
		_, _ = p.Do(ctx, 0)
	},
	"Go, a state": func(ctx context.Context) {
		p := pool.NewStateful(1, func(context.Context) (int, error) { return 0, nil },
			func(context.Context, int, int) (int, error) { panic("boom") }, nil)
		must0(p.Go(ctx, 1))
		_ = p.Close()
	},
	"CrashOnPanic, Go with a handler": func(ctx context.Context) {
		p := pool.New(1, panicker, pool.CrashOnPanic(), ignoreErrors())
		must0(p.Go(ctx, 1))
		_ = p.Close()
	},
	"CrashOnPanic, Do": func(ctx context.Context) { _, _ = pool.New(1, panicker, pool.CrashOnPanic()).Do(ctx, 1) },
	"CrashOnPanic, Submit": func(ctx context.Context) {
		_, _ = must(pool.New(1, panicker, pool.CrashOnPanic()).Submit(ctx, 1)).Wait(ctx)
	},
	"CrashOnPanic, Group": func(ctx context.Context) {
		g := pool.New(1, panicker, pool.CrashOnPanic()).Group(ctx)
		accept(g.Go(1))
		_, _ = g.Wait(ctx)
	},
	"CrashOnPanic, Map": func(ctx context.Context) {
		for range pool.New(1, panicker, pool.CrashOnPanic()).Map(ctx, count(1)) {
		}
	},
	"CrashOnPanic, in place": func(ctx context.Context) {
		var p *pool.Pool[int, int]
		p = pool.New(1, func(ctx context.Context, n int) (int, error) {
			if n == 0 {
				return p.Do(ctx, 1)
			}
			panic("boom")
		}, pool.CrashOnPanic())
		_, _ = p.Do(ctx, 0)
	},
}

// C4, P10, FP19: a panic that no result carries and no handler hears of, one in the handler, and
// with CrashOnPanic that of any task, ends the program, and says where it was.
func TestP10PanicEndsTheProgram(t *testing.T) {
	const env = "TANDEM_POOL_CRASH"
	if name := os.Getenv(env); name != "" {
		crashes[name](t.Context())
		return
	}
	if runtime.GOOS == "js" {
		t.Skip("no program can be started here")
	}
	for name := range crashes {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestP10PanicEndsTheProgram$")
			cmd.Env = append(os.Environ(), env+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "panic: boom") || !strings.Contains(string(out), "crash_test.go:") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// P10, C4: all other panics are errors, and the program goes on.
func TestP10OtherPanicsAreErrors(t *testing.T) {
	var told error
	p := pool.New(1, panicker, pool.WithErrorHandler(func(_ context.Context, err error) { told = err }))
	g := p.Group(t.Context())
	accept(g.Go(1))
	_, ofGroup := g.Wait(t.Context())
	var ofMap error
	for _, ofMap = range p.Map(t.Context(), count(1)) {
	}
	_, ofDo := p.Do(t.Context(), 1)
	must0(p.Go(t.Context(), 1))
	must0(p.Close())
	for i, err := range []error{told, ofDo, byTask(t, 0, ofGroup), byTask(t, 0, ofMap)} {
		if pe, ok := errors.AsType[*pool.PanicError](err); !ok || pe.Value != "boom" || !strings.Contains(err.Error(), "crash_test.go:") {
			t.Errorf("%d: %v", i, err)
		}
	}
}
