package survive

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	juju "github.com/juju/ratelimit"
	gohttplimit "github.com/sethvargo/go-limiter/httplimit"
	"github.com/sethvargo/go-limiter/memorystore"
	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"

	"github.com/tandemgo/tandem/benchmarks/classic"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// A limiter is a limiter. A field is nil if the library does not have it.
type limiter struct {
	allow    func() bool
	allowN   func(n int)                      // also of less than one
	reserve  func() time.Duration             // takes a permit that is due after some time
	promises func(n int) bool                 // reports whether n permits can be had within a minute
	wait     func(context.Context, int) error // waits for n permits
	end      func()
}

// A newLimiter makes a limiter of a burst and an interval.
type newLimiter func(burst int, every time.Duration) limiter

func nothing() {}

var limiters = map[string]newLimiter{
	tandem: func(burst int, every time.Duration) limiter {
		l := ratelimit.New(ratelimit.Every(every), burst)
		return limiter{allow: l.Allow, allowN: func(n int) { l.AllowN(n) }, wait: l.WaitN, end: nothing,
			reserve:  func() time.Duration { r := l.Reserve(); return r.Delay() },
			promises: func(n int) bool { return l.ReserveN(n).OK() }}
	},
	"xtime": func(burst int, every time.Duration) limiter {
		l := rate.NewLimiter(rate.Every(every), burst)
		return limiter{allow: l.Allow, allowN: func(n int) { l.AllowN(time.Now(), n) }, wait: l.WaitN, end: nothing,
			reserve:  func() time.Duration { return l.Reserve().Delay() },
			promises: func(n int) bool { return l.ReserveN(time.Now(), n).OK() }}
	},
	"juju": func(burst int, every time.Duration) limiter {
		b := juju.NewBucket(every, int64(burst))
		return limiter{allow: jujuAllow(b), allowN: func(n int) { b.Take(int64(n)); b.TakeAvailable(int64(n)) }, end: nothing,
			reserve:  func() time.Duration { return b.Take(1) },
			promises: func(n int) bool { _, ok := b.TakeMaxDuration(int64(n), time.Minute); return ok }}
	},
	"failsafe": func(burst int, every time.Duration) limiter {
		l := ratelimiter.NewBursty[any](uint(burst), time.Duration(burst)*every)
		return limiter{allow: l.TryAcquirePermit, reserve: l.ReservePermit, end: nothing,
			promises: func(n int) bool { return l.TryReservePermits(uint(n), time.Minute) >= 0 },
			wait: func(ctx context.Context, n int) error {
				if n == 1 {
					return l.AcquirePermit(ctx)
				}
				return l.AcquirePermits(ctx, uint(n))
			}}
	},
	"go-limiter": func(burst int, every time.Duration) limiter {
		s, err := memorystore.New(&memorystore.Config{Tokens: uint64(burst), Interval: time.Duration(max(burst, 1)) * every})
		if err != nil {
			panic(err)
		}
		return limiter{allow: func() bool {
			_, _, _, ok, err := s.Take(context.Background(), "key")
			return ok && err == nil
		}, end: func() { _ = s.Close(context.Background()) }}
	},
	byClassic: func(burst int, every time.Duration) limiter {
		l := classic.NewLimiter(burst, every)
		return limiter{allow: l.Allow, end: l.Close}
	},
}

func jujuAllow(b *juju.Bucket) func() bool {
	return func() bool { return b.TakeAvailable(1) == 1 }
}

// middlewares let one request pass every 400 ms.
var middlewares = map[string]func() (get func() *http.Response, end func()){
	tandem: func() (func() *http.Response, func()) {
		h := httplimit.Middleware(ratelimit.NewKeyed[string](ratelimit.Every(400*time.Millisecond), 1),
			func(*http.Request) string { return "key" })(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		return getFrom(h), nothing
	},
	"go-limiter": func() (func() *http.Response, func()) {
		s, err := memorystore.New(&memorystore.Config{Tokens: 1, Interval: 400 * time.Millisecond})
		if err != nil {
			panic(err)
		}
		m, err := gohttplimit.NewMiddleware(s, func(*http.Request) (string, error) { return "key", nil })
		if err != nil {
			panic(err)
		}
		return getFrom(m.Handle(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))),
			func() { _ = s.Close(context.Background()) }
	},
}

func getFrom(h http.Handler) func() *http.Response {
	return func() *http.Response {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		return w.Result()
	}
}

var rateZero = map[string]func() (allow func() bool, end func()){
	tandem:  func() (func() bool, func()) { return ratelimit.New(ratelimit.Per(0, time.Second), 1).Allow, nothing },
	"xtime": func() (func() bool, func()) { return rate.NewLimiter(0, 1).Allow, nothing },
	"juju":  func() (func() bool, func()) { return jujuAllow(juju.NewBucketWithRate(0, 1)), nothing },
	"failsafe": func() (func() bool, func()) {
		return ratelimiter.NewBursty[any](0, time.Second).TryAcquirePermit, nothing
	},
	"go-limiter": func() (func() bool, func()) {
		l := limiters["go-limiter"](0, time.Hour)
		return l.allow, l.end
	},
	"uber": func() (func() bool, func()) {
		l := uber.New(0)
		return func() bool { l.Take(); return true }, nothing
	},
}
