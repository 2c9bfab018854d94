package httplimit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// plainWriter hides what a ResponseWriter can do besides, as middlewares do.
type plainWriter struct{ http.ResponseWriter }

// A request that is too much is answered although its body never comes, in all the
// ways in which one can be sent.
func TestDeniedWithoutBodyIsAnsweredAtOnce(t *testing.T) {
	denied := httplimit.WithDenied(func(w http.ResponseWriter, _ *http.Request, _ ratelimit.Decision) {
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, "no")
	})
	x := ratelimit.NewKeyed[netip.Prefix](ratelimit.Per(0, time.Second), 0)
	servers := map[string]http.Handler{
		"429":    httplimit.Middleware(x, httplimit.ByIP)(ok),
		"custom": httplimit.Middleware(x, httplimit.ByIP, denied)(ok),
		"failed": httplimit.Middleware(broken{errors.New("down")}, httplimit.ByHeader("User"))(ok),
	}
	hidden := httplimit.Middleware(x, httplimit.ByIP)(ok)
	servers["hidden"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hidden.ServeHTTP(plainWriter{w}, r) })
	for name, h := range servers {
		want := http.StatusTooManyRequests
		if name == "failed" {
			want = http.StatusServiceUnavailable
		}
		s := httptest.NewServer(h)
		for _, head := range []string{
			"Content-Length: 1000", "Content-Length: 100000000", "Transfer-Encoding: chunked",
			"Content-Length: 1000\r\nExpect: 100-continue", "Content-Length: 10\r\n\r\nhalf",
		} {
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", head); err != nil {
				t.Error(err)
			}
			// A test of all would hang for ever, so the deadline only shows which one hangs.
			_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Errorf("%s, %q: no answer: %v", name, head, err)
			} else if res.StatusCode != want {
				t.Errorf("%s, %q: %s", name, head, res.Status)
			}
			_ = c.Close()
		}
		s.Close()
	}
}

// A client that is denied and does not send its short body holds neither the handlers outside
// nor the place of a limiter of calls in flight, and what it sends later is no request.
func TestDeniedWithoutBodyHoldsNothing(t *testing.T) {
	x := ratelimit.NewKeyed[netip.Prefix](ratelimit.Per(0, time.Second), 0)
	served := make(chan struct{}, 1)
	limited := httplimit.InFlight(inflight.New(1), time.Second)(httplimit.Middleware(x, httplimit.ByIP)(ok))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limited.ServeHTTP(unwrapper{plainWriter{w}}, r)
		served <- struct{}{}
	}))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-served
	_, _ = fmt.Fprint(c, "abcGET / HTTP/1.1\r\nHost: x\r\n\r\n") // the connection may be closed
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	all, _ := io.ReadAll(c)
	if n := strings.Count(string(all), "HTTP/1.1 "); n != 1 || !strings.Contains(string(all), "429") {
		t.Errorf("%d answers: %q", n, all)
	}
}

// An unwrapper is a middleware's writer as it should be.
type unwrapper struct{ plainWriter }

func (w unwrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A pipes is a listener in memory, so that a server can be in a bubble, where nothing
// is late because the machine is busy.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	dialed atomic.Int64
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80} }

// inBubble runs fn with a server of h, and a transport to it.
func inBubble(t *testing.T, h http.Handler, fn func(t *testing.T, tr *http.Transport, p *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		s := &http.Server{Handler: h, ReadHeaderTimeout: time.Hour}
		served := make(chan error, 1)
		go func() { served <- s.Serve(p) }()
		tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			p.dialed.Add(1)
			near, far := net.Pipe()
			p.conns <- far
			return near, nil
		}}
		fn(t, tr, p)
		tr.CloseIdleConnections()
		_ = s.Close()
		<-served
	})
}

// A client that is denied keeps its connection, if its bodies are short, and is
// served on it when it may.
func TestDeniedWithShortBodyKeepsConnection(t *testing.T) {
	x := &switched{}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(b)
	})
	inBubble(t, httplimit.Middleware(x, httplimit.ByHeader("User"))(echo), func(t *testing.T, tr *http.Transport, p *pipes) {
		for i := range 200 {
			x.ok = i%2 == 1
			sent := fmt.Sprintf("%d%s", i, strings.Repeat("x", i*300))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://a/", strings.NewReader(sent))
			if err != nil {
				t.Fatal(err)
			}
			if got := body(t, tr, r); x.ok && got != sent || !x.ok && got != "Too Many Requests\n" {
				t.Fatalf("request %d: got %d bytes", i, len(got))
			}
		}
		if n := p.dialed.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// switched grants or denies as it is told to.
type switched struct{ ok bool }

func (s *switched) Take(context.Context, string, int) (ratelimit.Decision, error) {
	return ratelimit.Decision{OK: s.ok, RetryAfter: ratelimit.Never}, nil
}

// Over HTTP/2, where a stream is not the connection, nothing is closed.
func TestDeniedWithoutBodyHTTP2(t *testing.T) {
	var conns atomic.Int64
	x := &switched{}
	s := httptest.NewUnstartedServer(httplimit.Middleware(x, httplimit.ByHeader("User"))(ok))
	s.EnableHTTP2 = true
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	for range 10 {
		unsent, done := io.Pipe()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, unsent)
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, s.Client().Transport, r); got != "Too Many Requests\n" {
			t.Errorf("got %q", got)
		}
		_ = done.Close()
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// Of several limits, a client is told of the one that it is going to reach first.
func TestNestedHeadersTellTheStrictest(t *testing.T) {
	everybody := func(*http.Request) string { return "" }
	with := func(every time.Duration, burst int) func(http.Handler) http.Handler {
		return httplimit.Middleware(ratelimit.NewKeyed[string](ratelimit.Every(every), burst), everybody, httplimit.ExposeLimits())
	}
	nothing := httplimit.Middleware(ratelimit.NewKeyed[string](ratelimit.Per(0, time.Second), 3), everybody, httplimit.ExposeLimits())
	for name, tt := range map[string]struct {
		h      http.Handler
		policy string
		is     string
	}{
		"outer": {with(time.Hour, 2)(with(time.Minute, 100)(ok)), `"default";q=2`, `"default";r=0;t=7200`},
		"inner": {with(time.Minute, 100)(with(time.Hour, 2)(ok)), `"default";q=2`, `"default";r=0;t=7200`},
		"three": {with(time.Minute, 100)(with(time.Hour, 3)(with(time.Minute, 3)(ok))), `"default";q=3`, `"default";r=1;t=7200`},
		"never": {with(time.Minute, 3)(nothing(with(time.Hour, 3)(ok))), `"default";q=3`, `"default";r=1`},
	} {
		ask(tt.h, "")
		w := ask(tt.h, "")
		if got := w.Header(); got.Get("RateLimit") != tt.is || got.Get("RateLimit-Policy") != tt.policy || len(got.Values("RateLimit")) != 1 {
			t.Errorf("%s: %v", name, got)
		}
	}
	denied := with(time.Minute, 1)(with(time.Hour, 1)(ok))
	ask(denied, "")
	if w := ask(denied, ""); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "60" || w.Header().Get("RateLimit") != `"default";r=0;t=60` {
		t.Errorf("denied by the first: %d %v", w.Code, w.Header())
	}
}

type fixed struct{ d ratelimit.Decision }

func (f fixed) Take(context.Context, string, int) (ratelimit.Decision, error) { return f.d, nil }

var standing = regexp.MustCompile(`^"default";r=([0-9]+)(?:;t=([0-9]+))?$`)

// A header RateLimit that is there already is kept if it is one of a Middleware and
// not less strict, and replaced if it is anything else.
func FuzzRateLimitHeader(f *testing.F) {
	for _, s := range []string{
		`"default";r=4`, `"default";r=5;t=10`, `"default";r=5;t=9`, `"default";r=5;t=11`, `"default";r=-1`, `"default";r=+1`,
		`"default";r=18446744073709551616`, `"default";r=1_0`, `"default";r=1;t=`, `"default";r=1;t=1;t=1`, `"other";r=0`, `limit=1`, "",
	} {
		f.Add(s)
	}
	h := httplimit.Middleware(fixed{ratelimit.Decision{OK: true, Limit: 9, Remaining: 5, ResetAfter: 10 * time.Second}}, httplimit.ByHeader("User"), httplimit.ExposeLimits())(ok)
	f.Fuzz(func(t *testing.T, before string) {
		want := `"default";r=5;t=10`
		if m := standing.FindStringSubmatch(before); m != nil {
			remaining, reset := new(big.Int), new(big.Int).SetUint64(math.MaxUint64)
			remaining.SetString(m[1], 10)
			if m[2] != "" {
				reset.SetString(m[2], 10)
			}
			c := remaining.Cmp(big.NewInt(5))
			if remaining.IsUint64() && reset.IsUint64() && (c < 0 || c == 0 && reset.Cmp(big.NewInt(10)) >= 0) {
				want = before
			}
		}
		w := httptest.NewRecorder()
		w.Header().Set("RateLimit", before)
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if got := w.Header().Get("RateLimit"); got != want {
			t.Errorf("%q became %q, want %q", before, got, want)
		}
	})
}
