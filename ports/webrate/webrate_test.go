package webrate_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/tandemgo/tandem/ports/internal/proof"
	"github.com/tandemgo/tandem/ports/webrate"
	"github.com/tandemgo/tandem/ports/webrate/after"
	"github.com/tandemgo/tandem/ports/webrate/before"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		stopRedis()
		os.Exit(code)
	}))
}

func TestLines(t *testing.T) { proof.Lines(t, 0.60) }

func TestPage(t *testing.T) { proof.Page(t, "traefik: the rate limiter") }

// A shape makes the middlewares of some routers that have the same configuration.
type shape func(tb testing.TB, cfg webrate.Config, routers ...http.Handler) []http.Handler

func old(tb testing.TB, cfg webrate.Config, routers ...http.Handler) (all []http.Handler) {
	for _, next := range routers {
		h, err := before.New(next, cfg)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, h)
	}
	return all
}

func now(tb testing.TB, cfg webrate.Config, routers ...http.Handler) (all []http.Handler) {
	middleware, err := after.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	for _, next := range routers {
		all = append(all, middleware(next))
	}
	return all
}

var stopRedis = func() {}

// startRedis starts a redis-server in a folder of its own, and returns the path of its socket,
// or "" if there is no such program.
var startRedis = sync.OnceValue(func() string {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return ""
	}
	dir, err := os.MkdirTemp("", "webrate")
	if err != nil {
		panic(err)
	}
	socket := filepath.Join(dir, "redis")
	server := exec.Command(program, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--daemonize", "no")
	if err := server.Start(); err != nil {
		panic(err)
	}
	stopRedis = func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}
	return socket
})

// connect returns a client of the server. Without one the test is skipped, or fails if the
// variable CI is set.
func connect(tb testing.TB) redis.UniversalClient {
	tb.Helper()
	socket := startRedis()
	if socket == "" && os.Getenv("CI") != "" {
		tb.Fatal("redis-server is not installed")
	}
	if socket == "" {
		tb.Skip("redis-server is not installed")
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, ContextTimeoutEnabled: true})
	tb.Cleanup(func() { _ = client.Close() })
	for deadline := time.Now().Add(20 * time.Second); client.Ping(tb.Context()).Err() != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatal("redis-server does not answer")
		}
	}
	return client
}

// A setup is one of the shapes in one of the places.
type setup struct {
	make    shape
	isOld   bool
	onRedis bool
	client  redis.UniversalClient
	slack   time.Duration // of times
}

// each runs a test for both shapes, in memory in a bubble, and on Redis in real time.
func each(t *testing.T, test func(t *testing.T, s setup)) {
	t.Parallel()
	for i, make := range []shape{old, now} {
		name := []string{"before", "after"}[i]
		t.Run(name+" in memory", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, setup{make, i == 0, false, nil, time.Millisecond}) })
		})
		t.Run(name+" on Redis", func(t *testing.T) {
			t.Parallel()
			test(t, setup{make, i == 0, true, connect(t), 300 * time.Millisecond})
		})
	}
}

func config(name string, average, burst int64, period time.Duration, client redis.UniversalClient) webrate.Config {
	return webrate.Config{
		Name: fmt.Sprint(name, rand.Uint64()), Average: average, Burst: burst, Period: period, Redis: client,
		Source: func(r *http.Request) (string, error) { return r.Header.Get("Source"), nil },
	}
}

// A router counts the requests that it serves.
type router struct{ served atomic.Int64 }

func (r *router) ServeHTTP(http.ResponseWriter, *http.Request) { r.served.Add(1) }

func get(h http.Handler, source string) *http.Response {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Source", source)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// served returns how many of n requests h serves.
func served(h http.Handler, source string, n int) (ok int) {
	for range n {
		if get(h, source).StatusCode == http.StatusOK {
			ok++
		}
	}
	return ok
}

// 13512: an average of 0 means that there is no limit.
func TestNoLimit(t *testing.T) {
	each(t, func(t *testing.T, s setup) {
		h := s.make(t, config(t.Name(), 0, 5, time.Second, s.client), &router{})[0]
		if ok, hasBug := served(h, "a", 100), s.isOld && s.onRedis; (ok == 0) != hasBug || (ok == 100) == hasBug {
			t.Errorf("%d of 100 requests are served", ok)
		}
	})
}

// 13706: several routers have one middleware, and a source has its limit at all of them
// together.
func TestRoutersShareTheLimit(t *testing.T) {
	each(t, func(t *testing.T, s setup) {
		var r router
		ok := 0
		for _, h := range s.make(t, config(t.Name(), 6, 10, time.Minute, s.client), &r, &r, &r) {
			ok += served(h, "a", 20)
		}
		if hasBug := s.isOld && !s.onRedis; (ok == 30) != hasBug || (ok == 10) == hasBug {
			t.Errorf("%d requests are served by three routers, the burst is 10", ok)
		}
	})
}

// No report has this: a source that is quiet for two seconds is forgotten, whatever it owes.
func TestTheBurstComesBackSlowly(t *testing.T) {
	each(t, func(t *testing.T, s setup) {
		h := s.make(t, config(t.Name(), 60, 100, time.Minute, s.client), &router{})[0]
		ok := served(h, "a", 100)
		time.Sleep(3 * time.Second)
		ok += served(h, "a", 100)
		if tooMany := ok > 120; tooMany != s.isOld {
			t.Errorf("%d requests are served in 3 seconds, at 1 a second and a burst of 100", ok)
		}
	})
}

// A request waits for up to half of the time between two, and is denied otherwise, with the
// time until one is granted.
func TestWaitsOrDenies(t *testing.T) {
	each(t, func(t *testing.T, s setup) {
		near := func(d, want time.Duration) bool { return (d - want).Abs() <= s.slack }
		h := s.make(t, config(t.Name(), 1, 2, 2*time.Second, s.client), &router{})[0]
		if ok := served(h, "a", 2); ok != 2 || served(h, "b", 1) != 1 {
			t.Errorf("%d of a burst of 2 are served, or another source is denied", ok)
		}
		time.Sleep(500 * time.Millisecond)
		r := get(h, "a")
		if r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") != "2" && !s.onRedis {
			t.Errorf("%v %v", r.Status, r.Header)
		}
		if d, err := time.ParseDuration(r.Header.Get("X-Retry-In")); err != nil || !near(d, 1500*time.Millisecond) {
			t.Errorf("X-Retry-In: %v, %v", d, err)
		}
		time.Sleep(1200 * time.Millisecond)
		start := time.Now()
		if r := get(h, "a"); r.StatusCode != http.StatusOK || !near(time.Since(start), 300*time.Millisecond) {
			t.Errorf("%v after %v", r.Status, time.Since(start))
		}
	})
}

// Two minutes of requests of twenty sources at all speeds in simulated time, or a second on
// Redis. Each source is granted no more than its limit, and nearly all of that. Its permits
// come back in less than two seconds, so that both shapes keep to it.
func TestMinutes(t *testing.T) {
	each(t, func(t *testing.T, s setup) {
		if s.onRedis {
			workload(t, s, time.Second, 8)
		} else {
			workload(t, s, 2*time.Minute, 20)
		}
	})
}

// The same in memory and in real time.
func TestRealTime(t *testing.T) {
	t.Parallel()
	for i, make := range []shape{old, now} {
		t.Run([]string{"before", "after"}[i], func(t *testing.T) {
			t.Parallel()
			workload(t, setup{make: make, slack: 100 * time.Millisecond}, time.Second, 20)
		})
	}
}

func workload(t *testing.T, s setup, d time.Duration, sources int) {
	const average, burst = 20, 10
	h := s.make(t, config(t.Name(), average, burst, time.Second, s.client), &router{})[0]
	var wg sync.WaitGroup
	start := time.Now()
	for i := range sources {
		wg.Go(func() {
			var granted []time.Duration
			asked := 0
			pause := time.Second / time.Duration(4*(i+1)) // from 4 to 80 a second
			for time.Since(start) < d {
				r := get(h, strconv.Itoa(i))
				asked++
				switch r.StatusCode {
				case http.StatusOK:
					granted = append(granted, time.Since(start))
				case http.StatusTooManyRequests:
				default:
					t.Error(r.Status)
				}
				time.Sleep(pause/2 + rand.N(pause))
			}
			for first := range granted { // of each window that begins with a grant
				for last := first; last < len(granted); last++ {
					window := granted[last] - granted[first] + s.slack
					if float64(last-first+1) > burst+1+average*window.Seconds() {
						t.Errorf("source %d: %d grants in %v", i, last-first+1, window)
						return
					}
				}
			}
			if want := min(float64(asked), average*(time.Since(start)-s.slack).Seconds()); float64(len(granted)) < 0.8*want {
				t.Errorf("source %d: %d of %d requests are granted, want %.0f", i, len(granted), asked, want)
			}
		})
	}
	wg.Wait()
}

// BenchmarkMemory has requests of a thousand sources, in memory: half of them are denied.
func BenchmarkMemory(b *testing.B) { benchmark(b, nil, 200_000) }

// BenchmarkRedis is the same on a server.
func BenchmarkRedis(b *testing.B) { benchmark(b, connect(b), 2_000) }

func benchmark(b *testing.B, client redis.UniversalClient, n int) {
	requests := slices.Collect(func(yield func(*http.Request) bool) {
		for i := range 1000 {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Source", fmt.Sprint("source ", i))
			yield(r)
		}
	})
	run := func(make shape) func(*testing.B, int) {
		var served router
		name := 0
		return func(b *testing.B, n int) {
			name++
			h := make(b, config(fmt.Sprint(name), 1, max(int64(n)/2000, 1), time.Hour, client), &served)[0]
			w := nothing{}
			for i := range n {
				h.ServeHTTP(w, requests[i%len(requests)])
			}
		}
	}
	proof.Paired(b, n, run(old), run(now))
}

// nothing is a response that is not kept.
type nothing struct{}

func (nothing) Header() http.Header         { return http.Header{} }
func (nothing) Write(p []byte) (int, error) { return len(p), nil }
func (nothing) WriteHeader(int)             {}
