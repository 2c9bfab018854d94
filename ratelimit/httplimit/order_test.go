package httplimit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// A sent is a request as a server has seen it.
type sent struct {
	Name string
	At   time.Duration
}

// A recorder is a server that notes what it gets, and answers what it is told to.
type recorder struct {
	start time.Time
	mu    sync.Mutex
	got   []sent
	// answer returns a Retry-After, empty for 200, for the nth request; it may take
	// its time.
	answer func(n int, name string) string
}

func record(answer func(n int, name string) string) *recorder {
	return &recorder{start: time.Now(), answer: answer}
}

func (s *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.URL.Path[1:]
	s.mu.Lock()
	s.got = append(s.got, sent{name, time.Since(s.start)})
	n := len(s.got)
	s.mu.Unlock()
	res := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}
	if s.answer != nil {
		if after := s.answer(n, name); after != "" {
			res.StatusCode = 429
			res.Header.Set("Retry-After", after)
		}
	}
	return res, nil
}

func (s *recorder) want(t *testing.T, want ...sent) {
	t.Helper()
	if diff := cmp.Diff(want, s.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A queue sends requests to one host, in the background.
type queue struct {
	t  *testing.T
	tr http.RoundTripper
	wg sync.WaitGroup
}

// send sends a request once all others are at rest, and calls done with its error.
func (q *queue) send(ctx context.Context, name string, done func(error)) {
	synctest.Wait()
	q.wg.Go(func() {
		_, err := get(ctx, q.tr, "http://a/"+name, "")
		if done != nil {
			done(err)
		} else if err != nil {
			q.t.Errorf("%s: %v", name, err)
		}
	})
	synctest.Wait()
}

// takers are all kinds of them: what a Keyed can do, what one that is far away can,
// and one that has to be asked again. counted counts how often it was called.
var takers = map[string]func(x *ratelimit.Keyed[string], calls *int) ratelimit.Taker[string]{
	"Keyed": func(x *ratelimit.Keyed[string], _ *int) ratelimit.Taker[string] { return x },
	"WaitN": func(x *ratelimit.Keyed[string], calls *int) ratelimit.Taker[string] { return &far{x: x, calls: calls} },
	"Take": func(x *ratelimit.Keyed[string], calls *int) ratelimit.Taker[string] {
		return only{&far{x: x, calls: calls}}
	},
}

// far hides what a Keyed tells of its line.
type far struct {
	x     *ratelimit.Keyed[string]
	mu    sync.Mutex
	calls *int
}

func (f *far) called() {
	f.mu.Lock()
	defer f.mu.Unlock()
	*f.calls++
}

func (f *far) Take(ctx context.Context, k string, n int) (ratelimit.Decision, error) {
	f.called()
	return f.x.Take(ctx, k, n)
}

func (f *far) WaitN(ctx context.Context, k string, n int) error {
	f.called()
	inner, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if at, ok := ctx.Deadline(); ok {
		var end context.CancelFunc
		inner, end = context.WithDeadline(inner, at)
		defer end()
	}
	defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
	return f.x.WaitN(inner, k, n)
}

func eachTaker(t *testing.T, rate ratelimit.Rate, burst int, run func(t *testing.T, taker ratelimit.Taker[string], calls *int)) {
	for _, name := range []string{"Keyed", "WaitN", "Take"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := new(int)
				run(t, takers[name](ratelimit.NewKeyed[string](rate, burst), calls), calls)
			})
		})
	}
}

const sec = time.Second

// R3: requests that come during a pause are sent in the order in which they came.
func TestR3OrderAfterPause(t *testing.T) {
	eachTaker(t, ratelimit.Every(sec), 1, func(t *testing.T, taker ratelimit.Taker[string], calls *int) {
		s := record(func(n int, _ string) string { return map[int]string{1: "10"}[n] })
		q := queue{t: t, tr: httplimit.NewTransport(s, taker, httplimit.ByHost)}
		for i := range 6 {
			q.send(t.Context(), strconv.Itoa(i), nil)
			time.Sleep(time.Millisecond)
		}
		q.wg.Wait()
		s.want(t, sent{"0", 0}, sent{"1", 10 * sec}, sent{"2", 11 * sec}, sent{"3", 12 * sec}, sent{"4", 13 * sec}, sent{"5", 14 * sec})
		if *calls > 12 {
			t.Errorf("%d calls of the Taker for 6 requests", *calls)
		}
	})
}

// R3, R2: requests that wait for permits when a pause begins, or is made longer, spend
// none in it, and keep their places, in front of those that come during the pause.
func TestR3OrderOfThoseThatWaitWhenPauseBegins(t *testing.T) {
	eachTaker(t, ratelimit.Every(sec), 1, func(t *testing.T, taker ratelimit.Taker[string], calls *int) {
		s := record(func(n int, _ string) string {
			switch n {
			case 1:
				time.Sleep(2500 * time.Millisecond)
				return "5"
			case 2:
				time.Sleep(4 * sec)
				return "6"
			}
			return ""
		})
		q := queue{t: t, tr: httplimit.NewTransport(s, taker, httplimit.ByHost)}
		for i := range 6 {
			q.send(t.Context(), strconv.Itoa(i), nil)
		}
		time.Sleep(3 * sec) // it is 3 s, and all is at rest until 7.5 s
		q.send(t.Context(), "6", nil)
		q.wg.Wait()
		// 1 and 2 are sent before the first answer, whose pause ends at 7.5 s; that of
		// the second begins at 5 s and ends at 11 s.
		s.want(t, sent{"0", 0}, sent{"1", 1 * sec}, sent{"2", 2 * sec}, sent{"3", 11 * sec}, sent{"4", 12 * sec}, sent{"5", 13 * sec}, sent{"6", 14 * sec})
		if *calls > 25 {
			t.Errorf("%d calls of the Taker for 7 requests", *calls)
		}
	})
}

// R3: a request that is sent again goes in front of those that came after it.
func TestR3RetryKeepsItsPlace(t *testing.T) {
	eachTaker(t, ratelimit.Every(sec), 1, func(t *testing.T, taker ratelimit.Taker[string], _ *int) {
		s := record(func(n int, _ string) string { return map[int]string{1: "10", 2: "10", 4: "10"}[n] })
		q := queue{t: t, tr: httplimit.NewTransport(s, taker, httplimit.ByHost, httplimit.WithRetries(5))}
		for i := range 3 {
			q.send(t.Context(), strconv.Itoa(i), nil)
		}
		q.wg.Wait()
		s.want(t, sent{"0", 0}, sent{"0", 10 * sec}, sent{"0", 20 * sec}, sent{"1", 21 * sec}, sent{"1", 31 * sec}, sent{"2", 32 * sec})
	})
}

// R2: a request that gives up in front of the line, during a pause or behind it, keeps
// none of the others.
func TestR2CancelledFrontAfterPause(t *testing.T) {
	eachTaker(t, ratelimit.Every(sec), 1, func(t *testing.T, taker ratelimit.Taker[string], _ *int) {
		s := record(func(n int, _ string) string { return map[int]string{1: "10"}[n] })
		q := queue{t: t, tr: httplimit.NewTransport(s, taker, httplimit.ByHost)}
		q.send(t.Context(), "0", nil)
		gone := errors.New("gone")
		ends := map[int]time.Duration{1: 5 * sec, 3: 10500 * time.Millisecond, 4: 2 * sec, 6: 7 * sec}
		for i := range 7 {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var done func(error)
			if after, ok := ends[i+1]; ok {
				time.AfterFunc(after, func() { cancel(gone) })
				done = func(err error) {
					if !errors.Is(err, gone) || time.Since(s.start) != after {
						t.Errorf("%d: %v after %v", i+1, err, time.Since(s.start))
					}
				}
			}
			q.send(ctx, strconv.Itoa(i+1), done)
		}
		q.wg.Wait()
		s.want(t, sent{"0", 0}, sent{"2", 10 * sec}, sent{"5", 11 * sec}, sent{"7", 12 * sec})
		time.Sleep(time.Hour)
		q.send(t.Context(), "8", nil) // nothing is left behind
		q.wg.Wait()
		if last := s.got[len(s.got)-1]; last.At != time.Hour+12*sec {
			t.Errorf("%v", last)
		}
	})
}

// R4, C2: a request fails at once when it is known that its deadline comes too early:
// by a pause, by one that is made longer while it waits, by the permits behind it.
func TestR4DeadlineBeforePauseEnds(t *testing.T) {
	eachTaker(t, ratelimit.Every(sec), 1, func(t *testing.T, taker ratelimit.Taker[string], _ *int) {
		s := record(func(n int, _ string) string {
			switch n {
			case 1:
				time.Sleep(sec / 2)
				return "10"
			case 2:
				return "3600"
			}
			return ""
		})
		q := queue{t: t, tr: httplimit.NewTransport(s, taker, httplimit.ByHost)}
		late := func(name string, at time.Duration) func(error) {
			return func(err error) {
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(s.start) != at {
					t.Errorf("%s: %v after %v, want %v", name, err, time.Since(s.start), at)
				}
			}
		}
		within := func(d time.Duration) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			t.Cleanup(cancel)
			return ctx
		}
		q.send(t.Context(), "0", nil)
		q.send(within(5*sec), "waits for a permit", late("a", sec/2))
		q.send(t.Context(), "1", nil)
		time.Sleep(sec)
		q.send(within(5*sec), "in the pause", late("b", sec))
		q.send(within(60*sec), "until it is longer", late("c", 10500*time.Millisecond))
		q.send(t.Context(), "2", nil)
		q.wg.Wait()
		s.want(t, sent{"0", 0}, sent{"1", 10500 * time.Millisecond}, sent{"2", 10500*time.Millisecond + time.Hour})
	})
	// A Keyed knows even those in front.
	synctest.Test(t, func(t *testing.T) {
		s := record(func(n int, _ string) string { return map[int]string{1: "10"}[n] })
		q := queue{t: t, tr: httplimit.NewTransport(s, ratelimit.NewKeyed[string](ratelimit.Every(sec), 1), httplimit.ByHost)}
		for i := range 5 {
			q.send(t.Context(), strconv.Itoa(i), nil)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 13*sec)
		defer cancel()
		q.send(ctx, "late", func(err error) {
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(s.start) != 10*sec {
				t.Errorf("%v after %v", err, time.Since(s.start))
			}
		})
		q.wg.Wait()
	})
}

// Requests with other keys are not held up by a pause.
func TestPauseIsOfItsKey(t *testing.T) {
	eachTaker(t, ratelimit.Every(sec), 1, func(t *testing.T, taker ratelimit.Taker[string], _ *int) {
		s := record(func(n int, _ string) string { return map[int]string{1: "100"}[n] })
		tr := httplimit.NewTransport(s, taker, httplimit.ByHost)
		q := queue{t: t, tr: tr}
		q.send(t.Context(), "0", nil)
		q.send(t.Context(), "1", nil)
		for range 3 {
			if _, err := get(t.Context(), tr, "http://b/b", ""); err != nil {
				t.Error(err)
			}
		}
		q.wg.Wait()
		s.want(t, sent{"0", 0}, sent{"b", 0}, sent{"b", sec}, sent{"b", 2 * sec}, sent{"1", 100 * sec})
	})
}

// A Taker that can't be waited for is asked by the first in line only.
func TestTakerIsNotPolledByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := record(nil)
		q := queue{t: t, tr: httplimit.NewTransport(s, takers["Take"](ratelimit.NewKeyed[string](ratelimit.Every(sec), 1), &calls), httplimit.ByHost)}
		var want []sent
		for i := range 100 {
			q.send(t.Context(), strconv.Itoa(i), nil)
			want = append(want, sent{strconv.Itoa(i), time.Duration(i) * sec})
		}
		q.wg.Wait()
		s.want(t, want...)
		if calls > 200 {
			t.Errorf("%d calls for 100 requests", calls)
		}
	})
}

// A Taker that panics or fails leaves no request behind in the line.
func TestTakerThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := record(func(n int, _ string) string { return map[int]string{1: "10"}[n] })
		x := &faulty{Keyed: ratelimit.NewKeyed[string](ratelimit.Every(sec), 1), down: errors.New("down")}
		q := queue{t: t, tr: httplimit.NewTransport(s, x, httplimit.ByHost)}
		q.send(t.Context(), "0", nil)
		for i := range 4 {
			switch i {
			case 0:
				synctest.Wait()
				q.wg.Go(func() {
					defer func() {
						if v := recover(); v != "panics" {
							t.Error(v)
						}
					}()
					_, _ = get(t.Context(), q.tr, "http://a/1", "")
				})
				synctest.Wait()
			case 1:
				q.send(t.Context(), "2", func(err error) {
					if !errors.Is(err, x.down) {
						t.Error(err)
					}
				})
			default:
				q.send(t.Context(), strconv.Itoa(i+1), nil)
			}
		}
		q.wg.Wait()
		s.want(t, sent{"0", 0}, sent{"3", 10 * sec}, sent{"4", 11 * sec})
	})
}

type faulty struct {
	*ratelimit.Keyed[string]
	down  error
	calls int
}

// AllowN takes the place of that of Keyed, and has another form.
func (f *faulty) AllowN() {}

func (f *faulty) WaitN(ctx context.Context, k string, n int) error {
	switch f.calls++; f.calls {
	case 2:
		panic("panics")
	case 3:
		return f.down
	}
	return f.Keyed.WaitN(ctx, k, n)
}

// R1 to R4: whatever requests, answers and cancellations come, no more is sent than
// the limit grants and nothing in a pause, in order, and every request ends.
func TestR3OrderAtRandom(t *testing.T) {
	for seed := range uint64(150) {
		kind := []string{"Keyed", "WaitN", "Take"}[seed%3]
		synctest.Test(t, func(t *testing.T) {
			rnd, answers := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
			var mu sync.Mutex
			until := time.Duration(0)
			var s *recorder
			s = record(func(n int, name string) string {
				mu.Lock()
				defer mu.Unlock()
				if answers.IntN(4) > 0 {
					return ""
				}
				after := 1 + answers.IntN(8)
				until = max(until, time.Since(s.start)+time.Duration(after)*sec)
				return strconv.Itoa(after)
			})
			var pauses []time.Duration // the end of the pause when each was sent
			base := roundTrip(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				pauses = append(pauses, until)
				mu.Unlock()
				return s.RoundTrip(r)
			})
			calls := 0
			tr := httplimit.NewTransport(base, takers[kind](ratelimit.NewKeyed[string](ratelimit.Every(sec), 1), &calls), httplimit.ByHost)
			q := queue{t: t, tr: tr}
			const n = 25
			for i := range n {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if rnd.IntN(4) == 0 {
					var end context.CancelFunc
					ctx, end = context.WithTimeout(ctx, time.Duration(rnd.IntN(30_000))*time.Millisecond)
					defer end()
				}
				if rnd.IntN(4) == 0 {
					time.AfterFunc(time.Duration(rnd.IntN(30_000))*time.Millisecond, cancel)
				}
				q.send(ctx, fmt.Sprintf("%02d", i), func(err error) {
					if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
				})
				time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
			}
			q.wg.Wait()
			for i, x := range s.got {
				if x.At < pauses[i] {
					t.Errorf("seed %d: %v was sent in a pause until %v", seed, x, pauses[i])
				}
				if i > 0 && (x.At-s.got[i-1].At < sec || x.Name <= s.got[i-1].Name) {
					t.Errorf("seed %d: %v behind %v", seed, x, s.got[i-1])
				}
			}
		})
		if t.Failed() {
			return
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Requests that may all be sent as a pause ends are not held up by each other.
func TestAllAreSentWhenThePauseEnds(t *testing.T) {
	eachTaker(t, ratelimit.Unlimited, 1, func(t *testing.T, taker ratelimit.Taker[string], _ *int) {
		s := record(func(n int, _ string) string {
			if n == 1 {
				return "10"
			}
			time.Sleep(time.Minute) // an answer takes its time
			return ""
		})
		q := queue{t: t, tr: httplimit.NewTransport(s, taker, httplimit.ByHost)}
		for i := range 20 {
			q.send(t.Context(), strconv.Itoa(i), nil)
		}
		q.wg.Wait()
		if len(s.got) != 20 || slices.ContainsFunc(s.got[1:], func(x sent) bool { return x.At != 10*sec }) {
			t.Errorf("%v", s.got)
		}
	})
}
