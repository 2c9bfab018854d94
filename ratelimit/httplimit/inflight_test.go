package httplimit_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// A server that is saturated answers at once, and does not call the handler.
func TestInFlightSaturated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.New(2)
		served := 0
		h := httplimit.InFlight(l, 1500*time.Millisecond)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			served++
			time.Sleep(time.Second)
		}))
		for range 2 {
			go ask(h, "")
			synctest.Wait()
		}
		w := ask(h, "")
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "2" || served != 2 {
			t.Errorf("%d, Retry-After %q, %d served", w.Code, w.Header().Get("Retry-After"), served)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if w := ask(h, ""); w.Code != http.StatusOK || l.Stats().InFlight != 0 {
			t.Errorf("afterwards: %d, %v", w.Code, l.Stats())
		}
	})
}

// The cost of a request is its weight.
func TestInFlightWeight(t *testing.T) {
	l := inflight.New(3)
	cost := httplimit.WithCost(func(r *http.Request) int { return len(r.Header.Get("User")) })
	h := httplimit.InFlight(l, 0, cost, nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if n := l.Stats().InFlight; n != 3 {
			t.Errorf("%d in flight", n)
		}
	}))
	if w := ask(h, "ann"); w.Code != http.StatusOK {
		t.Error(w.Code)
	}
	if w := ask(h, "anna"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" {
		t.Error(w.Code, w.Header())
	}
}

// What a request tells an adaptive limiter: a deadline that has passed counts as dropped, a
// client that has gone away and a panic tell nothing.
func TestInFlightOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(cancel context.CancelFunc)
		want int
	}{
		"success":  {func(context.CancelFunc) {}, 100},
		"deadline": {func(context.CancelFunc) { time.Sleep(2 * time.Minute) }, 90},
		"gone":     {func(cancel context.CancelFunc) { cancel() }, 100},
		"panic":    {func(context.CancelFunc) { panic("no") }, 100},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := inflight.NewAdaptive(1, 1000, inflight.AIMD(0))
				l.SetLimit(100)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				h := httplimit.InFlight(l, 0)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { c.end(cancel) }))
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
				testkit.Panicked(func() { h.ServeHTTP(httptest.NewRecorder(), r) })
				if st := l.Stats(); st.Limit != c.want || st.InFlight != 0 {
					t.Error(st)
				}
			})
		})
	}
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A client waits for its turn, and keeps its weight until the answer has been read or closed.
func TestInFlightTransportWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.New(1)
		rt := httplimit.NewInFlightTransport(trip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("hello"))}, nil
		}), l)
		get := func(ctx context.Context) (*http.Response, error) {
			return rt.RoundTrip(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		}
		res, err := get(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second := make(chan *http.Response, 1)
		go func() {
			res, err := get(t.Context())
			if err != nil {
				t.Error(err)
			}
			second <- res
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if text, err := io.ReadAll(res.Body); string(text) != "hello" || err != nil {
			t.Error(string(text), err)
		}
		res2 := <-second
		_ = res.Body.Close() // the first one has none any more
		if n := l.Stats().InFlight; n != 1 {
			t.Errorf("%d in flight", n)
		}
		_ = res2.Body.Close()
		if n := l.Stats().InFlight; n != 0 {
			t.Errorf("%d in flight", n)
		}
	})
}

type slowError struct{ error }

func (slowError) Timeout() bool   { return true }
func (slowError) Temporary() bool { return true }

type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }
func (b brokenBody) Close() error             { return nil }

// What an answer tells an adaptive limiter.
func TestInFlightTransportOutcomes(t *testing.T) {
	body := io.NopCloser(strings.NewReader(""))
	for name, c := range map[string]struct {
		res  *http.Response
		err  error
		want int
	}{
		"200":         {&http.Response{StatusCode: 200, Body: body}, nil, 100},
		"404":         {&http.Response{StatusCode: 404, Body: body}, nil, 100},
		"429":         {&http.Response{StatusCode: 429, Body: body}, nil, 90},
		"503":         {&http.Response{StatusCode: 503, Body: body}, nil, 90},
		"504":         {&http.Response{StatusCode: 504, Body: body}, nil, 90},
		"upgrade":     {&http.Response{StatusCode: 101, Body: body}, nil, 100},
		"refused":     {nil, errors.New("refused"), 100},
		"timeout":     {nil, slowError{errors.New("slow")}, 90},
		"slow body":   {&http.Response{StatusCode: 200, Body: brokenBody{slowError{io.ErrUnexpectedEOF}}}, nil, 90},
		"broken body": {&http.Response{StatusCode: 200, Body: brokenBody{io.ErrUnexpectedEOF}}, nil, 100},
		"panic":       {nil, nil, 100},
	} {
		t.Run(name, func(t *testing.T) {
			l := inflight.NewAdaptive(1, 1000, inflight.AIMD(0))
			l.SetLimit(100)
			rt := httplimit.NewInFlightTransport(trip(func(*http.Request) (*http.Response, error) {
				if c.res == nil && c.err == nil {
					panic("no")
				}
				return c.res, c.err
			}), l)
			testkit.Panicked(func() {
				res, err := rt.RoundTrip(httptest.NewRequest(http.MethodGet, "/", nil))
				if err != c.err {
					t.Error(err)
				}
				if err == nil {
					if res.StatusCode == 101 && res.Body != body {
						t.Error("an upgraded connection is wrapped")
					}
					_, _ = io.Copy(io.Discard, res.Body)
				}
			})
			if st := l.Stats(); st.Limit != c.want || st.InFlight != 0 {
				t.Error(st)
			}
		})
	}
}

// An http.Client accepts an answer without a body, as simple round trippers make it, and says what
// is wrong with no answer at all. So do a client behind the transports, and no permit is kept.
func TestAnswersOfSimpleRoundTrippers(t *testing.T) {
	l := inflight.New(1)
	for name, answer := range map[string]*http.Response{
		"no body": {StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"0"}}}, "none": nil,
	} {
		base := trip(func(*http.Request) (*http.Response, error) {
			if answer == nil {
				return nil, nil
			}
			res := *answer
			return &res, nil
		})
		for _, rt := range []http.RoundTripper{
			httplimit.NewInFlightTransport(base, l),
			httplimit.NewTransport(base, ratelimit.NewKeyed[string](ratelimit.Unlimited, 1), httplimit.ByHost, httplimit.WithRetries(2)),
		} {
			client := http.Client{Transport: rt}
			res, err := client.Get("http://example.com")
			if (err != nil) != (answer == nil) {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil {
				_, _ = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
		}
		if st := l.Stats(); st.InFlight != 0 {
			t.Errorf("%s: %v", name, st)
		}
	}
}

// An answer without a body is at its end: no permit waits for a Close that clients leave out.
func TestInFlightAnswersWithoutABody(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	defer s.Close()
	l := inflight.New(1)
	client := http.Client{Transport: httplimit.NewInFlightTransport(nil, l)}
	for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodPost} {
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Do(r); err != nil { //nolint:bodyclose // that is tested
			t.Fatal(err)
		}
		if st := l.Stats(); st.InFlight != 0 {
			t.Errorf("%s: %v", method, st)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestC5InFlightMisusePanics(t *testing.T) {
	testkit.Panics(t, map[string]func(){
		"httplimit: InFlight: limiter must not be nil":             func() { httplimit.InFlight(nil, 0) },
		"httplimit: InFlight: pause must not be negative, got -1s": func() { httplimit.InFlight(inflight.New(1), -time.Second) },
		"httplimit: NewInFlightTransport: limiter must not be nil": func() { httplimit.NewInFlightTransport(nil, nil) },
	})
	httplimit.NewInFlightTransport(nil, inflight.New(1)).(interface{ CloseIdleConnections() }).CloseIdleConnections()
}
