package httplimit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
)

// pauseOf returns for how long an answer holds back the next request.
func pauseOf(t *testing.T, code int, h http.Header, opts ...httplimit.Option) (d time.Duration) {
	t.Helper()
	n := 0
	tr := httplimit.NewTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
		if n++; n == 1 {
			return &http.Response{StatusCode: code, Header: h, Body: http.NoBody, Request: r}, nil
		}
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}), ratelimit.NewKeyed[string](ratelimit.Unlimited, 1), httplimit.ByHost, opts...)
	start := time.Now()
	for range 2 {
		if _, err := get(t.Context(), tr, "http://a/", ""); err != nil {
			t.Error(err)
		}
	}
	return time.Since(start)
}

const century = 100 * 365 * 24 * time.Hour

// A Retry-After is read in all its forms, and none of them is too much.
func TestRetryAfterForms(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "1": sec, "007": 7 * sec, " 5\t": 5 * sec, "+5": 5 * sec, "1.5": 2 * sec, "1.0": sec, "0.001": sec,
		"9999999999": century, "9223372036854775807": century, "9223372036854775808": century,
		"99999999999999999999999999999": century, "99999999999999999999.5": century,
		"-1": 0, "-9223372036854775809": 0, "": 0, "rubbish": 0, "5s": 0, "5 6": 0, "1e3": 0, "0x10": 0, "1_0": 0, ".5": 0, "5.": 0, "1.5.5": 0, "++5": 0, "+": 0, "٣": 0, "5, 6": 0,
		"5|60|7": 60 * sec, "rubbish|5": 5 * sec, "5|-1|": 5 * sec,
	} {
		synctest.Test(t, func(t *testing.T) { // of its own, since time ends in 2262
			if got := pauseOf(t, 503, http.Header{"Retry-After": strings.Split(text, "|")}); got != want {
				t.Errorf("%q: %v, want %v", text, got, want)
			}
		})
	}
}

// A date is by the clock of the server, if that says what time it has.
func TestRetryAfterDate(t *testing.T) {
	formats := []string{http.TimeFormat, time.RFC850, time.ANSIC} // those of RFC 9110
	for _, format := range formats {
		for _, ahead := range []time.Duration{0, 45 * sec, -45 * sec, 1000 * time.Hour} {
			for _, in := range []time.Duration{30 * sec, 0, -time.Hour, 24 * time.Hour} {
				synctest.Test(t, func(t *testing.T) {
					server := time.Now().Add(-ahead).UTC()
					text := server.Add(in).Format(format)
					if format == time.RFC850 {
						text = strings.Replace(text, "UTC", "GMT", 1)
					}
					h := http.Header{"Retry-After": {text}, "Date": {server.Format(http.TimeFormat)}}
					if got, want := pauseOf(t, 429, h), max(0, in); got != want {
						t.Errorf("%s, the client %v ahead: %v, want %v", text, ahead, got, want)
					}
					h.Set("Date", "yesterday")
					if got, want := pauseOf(t, 429, h), max(0, time.Until(server.Add(in))); got < want-sec || got > want+48*time.Hour {
						t.Errorf("%s without a Date: %v", text, got)
					}
				})
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		h := http.Header{"Retry-After": {"Fri, 31 Dec 9999 23:59:59 GMT"}, "Date": {"Mon, 01 Jan 0001 00:00:00 GMT"}}
		if got := pauseOf(t, 429, h); got != century {
			t.Errorf("got %v", got)
		}
	})
}

// Which answers ask for a pause, and how long that is at most, is for the client to
// say.
func TestPauseOptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		minute := http.Header{"Retry-After": {"60"}}
		for code, want := range map[int]time.Duration{403: time.Minute, 429: time.Minute, 503: time.Minute, 200: 0, 301: 0, 404: 0, 500: 0} {
			if got := pauseOf(t, code, minute); got != want {
				t.Errorf("%d: %v", code, got)
			}
		}
		only := httplimit.WithPauseStatus(429, 404)
		for code, want := range map[int]time.Duration{403: 0, 429: time.Minute, 503: 0, 404: time.Minute} {
			if got := pauseOf(t, code, minute, only); got != want {
				t.Errorf("of 429 and 404, %d: %v", code, got)
			}
		}
		if got := pauseOf(t, 429, minute, httplimit.WithPauseStatus()); got != 0 {
			t.Errorf("of none: %v", got)
		}
		for after, want := range map[string]time.Duration{"60": 10 * sec, "5": 5 * sec, "99999999999999999999": 10 * sec, "Fri, 31 Dec 2100 23:59:59 GMT": 10 * sec} {
			if got := pauseOf(t, 429, http.Header{"Retry-After": {after}}, nil, httplimit.WithMaxPause(10*sec)); got != want {
				t.Errorf("at most 10 s of %s: %v", after, got)
			}
		}
	})
}

var (
	seconds = regexp.MustCompile(`^[ \t]*\+?([0-9]+)(?:\.([0-9]+))?[ \t]*$`)
	blanks  = " \t"
)

// slowRetryAfter is what RFC 9110, section 10.2.3, says, and a sign and a fraction.
func slowRetryAfter(lines []string, date string, now time.Time) time.Duration {
	longest := new(big.Int)
	for _, text := range lines {
		n := new(big.Int)
		if m := seconds.FindStringSubmatch(text); m != nil {
			n.SetString(m[1], 10)
			if strings.ContainsAny(m[2], "123456789") {
				n.Add(n, big.NewInt(1))
			}
			n.Mul(n, big.NewInt(1e9))
		} else {
			for _, format := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 MST", "Mon Jan _2 15:04:05 2006"} {
				if at, err := time.Parse(format, strings.Trim(text, blanks)); err == nil {
					from := now
					for _, format := range []string{"Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 MST", "Mon Jan _2 15:04:05 2006"} {
						if d, err := time.Parse(format, date); err == nil {
							from = d
						}
					}
					n = new(big.Int).Mul(big.NewInt(at.Unix()-from.Unix()), big.NewInt(1e9))
					n.Add(n, big.NewInt(int64(at.Nanosecond()-from.Nanosecond())))
				}
			}
		}
		if n.Cmp(longest) > 0 {
			longest = n
		}
	}
	if longest.Cmp(big.NewInt(int64(century))) > 0 {
		return century
	}
	return time.Duration(longest.Int64())
}

// A Retry-After is what a parser that is obviously right has found in it.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{
		"5", "+5", "-5", "1.5", "9223372036854775808", "5|60", " 7\t|", "Sat, 01 Jan 2000 00:00:30 GMT", "Saturday, 01-Jan-00 00:01:00 GMT",
		"Sat Jan  1 00:00:10 2000", "Fri, 31 Dec 9999 23:59:59 GMT", "1e9", "0x1", "1_000",
	} {
		f.Add(s, "")
		f.Add(s, "Sat, 01 Jan 2000 00:00:10 GMT")
		f.Add(s, "Thursday, 10-Jul-08 00:00:00 GMT")
	}
	f.Fuzz(func(t *testing.T, text, date string) {
		lines := strings.Split(text, "|")
		synctest.Test(t, func(t *testing.T) {
			want := slowRetryAfter(lines, date, time.Now())
			if got := pauseOf(t, 429, http.Header{"Retry-After": lines, "Date": {date}}); got != want {
				t.Errorf("%q, Date %q: %v, want %v", lines, date, got, want)
			}
		})
	})
}

// A request that is sent again uses the connection of the answer that sent it away.
func TestRetryKeepsConnection(t *testing.T) {
	for _, size := range []int{0, 18, 30_000} {
		var asked atomic.Int64
		inBubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				t.Error(err)
			}
			if asked.Add(1)%20 != 0 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
			}
			fmt.Fprint(w, strings.Repeat("x", size))
		}), func(t *testing.T, tr *http.Transport, p *pipes) {
			c := &http.Client{Transport: httplimit.NewTransport(tr,
				ratelimit.NewKeyed[string](ratelimit.Unlimited, 1), httplimit.ByHost, httplimit.WithRetries(100))}
			for range 3 {
				res, err := c.Post("http://a/", "text/plain", strings.NewReader("body"))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
					t.Error(res.Status, err)
				}
				_ = res.Body.Close()
			}
			if n := p.dialed.Load(); n != 1 {
				t.Errorf("%d bytes: %d connections for %d requests", size, n, asked.Load())
			}
		})
	}
}

// endless is a body that never ends, and may never come.
type endless struct {
	comes  bool
	read   atomic.Int64
	closed chan struct{}
}

func (e *endless) Read(p []byte) (int, error) {
	if !e.comes {
		<-e.closed
		return 0, errors.New("closed")
	}
	e.read.Add(int64(len(p)))
	return len(p), nil
}

func (e *endless) Close() error { close(e.closed); return nil }

// The answer that sends a request away is read no further than it may pay.
func TestRetryDropsBody(t *testing.T) {
	for _, comes := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			e := &endless{comes: comes, closed: make(chan struct{})}
			n, start := 0, time.Now()
			tr := httplimit.NewTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
				if n++; n == 1 {
					return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"5"}}, Body: e, Request: r}, nil
				}
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
			}), ratelimit.NewKeyed[string](ratelimit.Unlimited, 1), httplimit.ByHost, httplimit.WithRetries(1))
			if code, err := get(t.Context(), tr, "http://a/", ""); code != 200 || err != nil || time.Since(start) != 5*sec {
				t.Errorf("%d, %v after %v", code, err, time.Since(start))
			}
			synctest.Wait()
			select {
			case <-e.closed: // twice would have panicked
			default:
				t.Error("the body was not closed")
			}
			if e.read.Load() > 256<<10 {
				t.Errorf("%d bytes were read", e.read.Load())
			}
		})
	}
}

// A retry under a deadline that comes before the end of the pause fails at once, with
// the body of the answer closed, and that of the request.
func TestRetryBeyondDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endless{comes: true, closed: make(chan struct{})}
		tr := httplimit.NewTransport(roundTrip(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"5"}}, Body: e, Request: r}, nil
		}), ratelimit.NewKeyed[string](ratelimit.Unlimited, 1), httplimit.ByHost, httplimit.WithRetries(1))
		ctx, cancel := context.WithTimeout(t.Context(), sec)
		defer cancel()
		start, again := time.Now(), &closer{}
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://a/", &closer{})
		if err != nil {
			t.Fatal(err)
		}
		r.GetBody = func() (io.ReadCloser, error) { return again, nil }
		if _, err := tr.RoundTrip(r); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		<-e.closed
		if !again.closed {
			t.Error("the body of the second try was not closed")
		}
	})
}
