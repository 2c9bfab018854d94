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

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// A newAllow makes a limiter of a burst and an interval, and returns what asks it.
type newAllow func(burst int, every time.Duration) (allow func() bool, end func())

func nothing() {}

var allows = map[string]newAllow{
	tandem: func(burst int, every time.Duration) (func() bool, func()) {
		return ratelimit.New(ratelimit.Every(every), burst).Allow, nothing
	},
	"xtime": func(burst int, every time.Duration) (func() bool, func()) {
		return rate.NewLimiter(rate.Every(every), burst).Allow, nothing
	},
	"juju": func(burst int, every time.Duration) (func() bool, func()) {
		return jujuAllow(juju.NewBucket(every, int64(burst))), nothing
	},
	"failsafe": func(burst int, every time.Duration) (func() bool, func()) {
		return ratelimiter.NewBursty[any](uint(burst), time.Duration(burst)*every).TryAcquirePermit, nothing
	},
	"go-limiter": func(burst int, every time.Duration) (func() bool, func()) {
		s, err := memorystore.New(&memorystore.Config{Tokens: uint64(burst), Interval: time.Duration(max(burst, 1)) * every})
		if err != nil {
			panic(err)
		}
		return func() bool {
			_, _, _, ok, err := s.Take(context.Background(), "key")
			return ok && err == nil
		}, func() { _ = s.Close(context.Background()) }
	},
	classic: classicAllow,
}

func jujuAllow(b *juju.Bucket) func() bool {
	return func() bool { return b.TakeAvailable(1) == 1 }
}

// classicAllow is a channel of tokens that a ticker fills.
func classicAllow(burst int, every time.Duration) (func() bool, func()) {
	tokens, stop := make(chan struct{}, burst), make(chan struct{})
	for range burst {
		tokens <- struct{}{}
	}
	go func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-stop:
				return
			}
			select {
			case tokens <- struct{}{}:
			default:
			}
		}
	}()
	return func() bool {
		select {
		case <-tokens:
			return true
		default:
			return false
		}
	}, func() { close(stop) }
}

// lessThanOne are those that can be asked for less than one permit.
var lessThanOne = map[string]func() (less func(), allow func() bool){
	tandem: func() (func(), func() bool) {
		l := ratelimit.New(ratelimit.Every(time.Hour), 5)
		return func() { l.AllowN(-5) }, l.Allow
	},
	"xtime": func() (func(), func() bool) {
		l := rate.NewLimiter(rate.Every(time.Hour), 5)
		return func() { l.AllowN(time.Now(), -5) }, l.Allow
	},
	"juju": func() (func(), func() bool) {
		b := juju.NewBucket(time.Hour, 5)
		return func() { b.Take(-5); b.TakeAvailable(-5) }, jujuAllow(b)
	},
}

// middlewares let one request through each 400 ms.
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
		return allows["go-limiter"](0, time.Hour)
	},
	"uber": func() (func() bool, func()) {
		l := uber.New(0)
		return func() bool { l.Take(); return true }, nothing
	},
}

// tinyRates are limiters of one permit each century.
var tinyRates = map[string]func() (reserve func() time.Duration){
	tandem: func() (reserve func() time.Duration) {
		defer func() {
			if recover() != nil { // the rate is rejected as out of range, so no permit can be had
				reserve = func() time.Duration { return century }
			}
		}()
		l := ratelimit.New(ratelimit.Every(century), 1)
		return func() time.Duration { r := l.Reserve(); return r.Delay() }
	},
	"xtime": func() func() time.Duration {
		l := rate.NewLimiter(rate.Every(century), 1)
		return func() time.Duration { return l.Reserve().Delay() }
	},
	"juju": func() func() time.Duration {
		b := juju.NewBucket(century, 1)
		return func() time.Duration { return b.Take(1) }
	},
	"failsafe": func() func() time.Duration { return ratelimiter.NewSmoothWithMaxRate[any](century).ReservePermit },
}

// failing are limiters of a burst of five that can be asked for six at once.
var failing = map[string]func() (tooMuch, allow func() bool){
	tandem: func() (func() bool, func() bool) {
		l := ratelimit.New(ratelimit.Every(time.Hour), 5)
		return func() bool { return l.ReserveN(6).OK() }, l.Allow
	},
	"xtime": func() (func() bool, func() bool) {
		l := rate.NewLimiter(rate.Every(time.Hour), 5)
		return func() bool { return l.ReserveN(time.Now(), 6).OK() }, l.Allow
	},
	"juju": func() (func() bool, func() bool) {
		b := juju.NewBucket(time.Hour, 5)
		return func() bool { _, ok := b.TakeMaxDuration(6, time.Minute); return ok }, jujuAllow(b)
	},
	"failsafe": func() (func() bool, func() bool) {
		l := ratelimiter.NewBursty[any](5, time.Hour)
		return func() bool { return l.TryReservePermits(6, time.Minute) >= 0 }, l.TryAcquirePermit
	},
}
