package httplimit_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

func prefixes(t *testing.T, list string) (ps []netip.Prefix) {
	t.Helper()
	for s := range strings.SplitSeq(list, ",") {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}

// A server answers what it is told to, and notes when it was asked.
type server struct {
	start   time.Time
	answers []string // "429 <Retry-After>" or "200"
	asked   []time.Duration
	bodies  []string
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked = append(s.asked, time.Since(s.start))
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.bodies = append(s.bodies, string(b))
	}
	res := &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}
	if len(s.answers) > 0 {
		code, after, _ := strings.Cut(s.answers[0], " ")
		s.answers = s.answers[1:]
		if code == "429" {
			res.StatusCode = 429
		}
		if code == "503" {
			res.StatusCode = 503
		}
		if after != "" {
			res.Header.Set("Retry-After", after)
		}
	}
	return res, nil
}

func get(ctx context.Context, t http.RoundTripper, url, body string) (int, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, url, reader)
	if err != nil {
		return 0, err
	}
	res, err := t.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// only hides WaitN.
type only struct{ ratelimit.Taker[string] }

// R1, R4: a client sends no more than its limit, by host, and what can't be sent
// in time fails at once.
func TestR1TransportWaits(t *testing.T) {
	for _, hide := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{start: time.Now()}
			var taker ratelimit.Taker[string] = ratelimit.NewKeyed[string](ratelimit.Every(time.Second), 2)
			if hide {
				taker = only{taker}
			}
			tr := httplimit.NewTransport(s, taker, httplimit.ByHost)
			for _, url := range []string{"http://a/1", "http://a/2", "http://b/1", "http://a/3", "http://a/4"} {
				if code, err := get(t.Context(), tr, url, ""); code != 200 || err != nil {
					t.Errorf("%d, %v", code, err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second-1)
			defer cancel()
			body := &closer{}
			r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://a/5", body)
			if err != nil {
				t.Fatal(err)
			}
			if res, err := tr.RoundTrip(r); res != nil || !errors.Is(err, context.DeadlineExceeded) || !body.closed {
				t.Errorf("with a deadline that is too early: %v, closed: %v", err, body.closed)
			}
			if diff := cmp.Diff([]time.Duration{0, 0, 0, time.Second, 2 * time.Second}, s.asked); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

type closer struct{ closed bool }

func (*closer) Read([]byte) (int, error) { return 0, io.EOF }
func (c *closer) Close() error           { c.closed = true; return nil }

// A server's Retry-After is kept, in seconds or as a date, by all requests to it
// and by no others.
func TestTransportHonoursRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
		s := &server{start: time.Now(), answers: []string{"429 10", "200", "200", "503 " + date, "200", "429", "429 rubbish", "429 -1", "200"}}
		tr := httplimit.NewTransport(s, ratelimit.NewKeyed[string](ratelimit.Unlimited, 1), httplimit.ByHost)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var codes []int
		for _, url := range []string{"http://a/", "http://b/", "http://a/", "http://a/", "http://a/", "http://a/", "http://a/", "http://a/", "http://a/"} {
			code, err := get(t.Context(), tr, url, "")
			if err != nil {
				t.Error(err)
			}
			if codes = append(codes, code); len(codes) == 1 {
				if _, err := get(ctx, tr, "http://a/", ""); !errors.Is(err, context.DeadlineExceeded) || time.Since(s.start) != 0 {
					t.Errorf("with a deadline that is too early: %v", err)
				}
			}
		}
		if diff := cmp.Diff([]int{429, 200, 200, 503, 200, 429, 429, 429, 200}, codes); diff != "" {
			t.Errorf("codes (-want +got):\n%s", diff)
		}
		sec := time.Second
		if diff := cmp.Diff([]time.Duration{0, 0, 10 * sec, 10 * sec, 30 * sec, 30 * sec, 30 * sec, 30 * sec, 30 * sec}, s.asked); diff != "" {
			t.Errorf("times (-want +got):\n%s", diff)
		}
	})
}

// With retries a request is sent again, with its body, if that can be had again.
func TestTransportRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{start: time.Now(), answers: []string{"429 1", "503 2", "200", "429 1", "429 1", "429 1", "429 1"}}
		tr := httplimit.NewTransport(s, ratelimit.NewKeyed[string](ratelimit.Unlimited, 1), httplimit.ByHost, httplimit.WithRetries(2))
		if code, err := get(t.Context(), tr, "http://a/", "body"); code != 200 || err != nil || time.Since(s.start) != 3*time.Second {
			t.Errorf("%d, %v after %v", code, err, time.Since(s.start))
		}
		if code, err := get(t.Context(), tr, "http://a/", ""); code != 429 || err != nil {
			t.Errorf("after two retries: %d, %v", code, err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://a/", &closer{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := tr.RoundTrip(r)
		if err != nil || res.StatusCode != 429 || len(s.asked) != 7 {
			t.Errorf("a body that is spent was sent again: %v, %v, %d", res, err, len(s.asked))
		}
		if diff := cmp.Diff([]string{"body", "body", "body", ""}, s.bodies); diff != "" {
			t.Errorf("bodies (-want +got):\n%s", diff)
		}
	})
}

// What will never be granted is an error, as is a context that ends.
func TestTransportDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 1)
		two := httplimit.WithCost(func(*http.Request) int { return 2 })
		if _, err := get(t.Context(), httplimit.NewTransport(nil, x, httplimit.ByHost, two), "http://a/", ""); !errors.Is(err, ratelimit.ErrExceedsBurst) {
			t.Errorf("got %v", err)
		}
		if _, err := get(t.Context(), httplimit.NewTransport(nil, only{x}, httplimit.ByHost, two), "http://a/", ""); !errors.Is(err, httplimit.ErrDenied) {
			t.Errorf("got %v", err)
		}
		x.Allow("a")
		for _, taker := range []ratelimit.Taker[string]{x, only{x}} {
			cause := errors.New("gone")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Minute, func() { cancel(cause) })
			if _, err := get(ctx, httplimit.NewTransport(nil, taker, httplimit.ByHost), "http://a/", ""); err != cause {
				t.Errorf("got %v", err)
			}
		}
	})
}

// idle is a round tripper that counts how often it is told to close connections.
type idle struct {
	http.RoundTripper
	closed int
}

func (i *idle) CloseIdleConnections() { i.closed++ }

// A client that closes idle connections closes those of the base: it asks for the
// method, and does nothing where there is none.
func TestClientClosesIdleConnectionsOfTheBase(t *testing.T) {
	base := new(idle)
	limit := ratelimit.NewKeyed[string](ratelimit.Unlimited, 0)
	(&http.Client{Transport: httplimit.NewTransport(base, limit, httplimit.ByHost)}).CloseIdleConnections()
	if base.closed != 1 {
		t.Errorf("the base was told %d times, want once", base.closed)
	}
	without := struct{ http.RoundTripper }{base}
	(&http.Client{Transport: httplimit.NewTransport(without, limit, httplimit.ByHost)}).CloseIdleConnections()
	if base.closed != 1 {
		t.Error("a base that can't was told all the same")
	}
}

// body returns the body of the answer to r.
func body(t *testing.T, tr http.RoundTripper, r *http.Request) string {
	t.Helper()
	res, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	return string(b)
}
