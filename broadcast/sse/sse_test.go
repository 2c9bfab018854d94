package sse_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// serve serves h until the test ends.
func serve(t *testing.T, h http.Handler) (url string) {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// get asks for the stream as a browser does that has seen last.
func get(t *testing.T, url, last string) *http.Response {
	t.Helper()
	req := must(http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil))
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// body reads a stream to its end.
func body(t *testing.T, res *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func sendAll(t *testing.T, b *broadcast.Broadcast[int], from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		must(0, b.Send(t.Context(), i))
	}
}

// numbers is what a stream of them looks like.
func numbers(prefix string, from, to int) string {
	var s strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&s, "id: %s%d\ndata: %d\n\n", prefix, i, i)
	}
	return s.String()
}

// S1: each value is an event, its sequence number the id, in order; a viewer that
// comes back goes on exactly where it was.
func TestS1ResumesFromTheLog(t *testing.T) {
	b := broadcast.New[int]()
	url := serve(t, &sse.Handler[int]{Source: b, Replay: 2})
	sendAll(t, b, 0, 5)
	res := get(t, url, "")
	resumed := get(t, url, "1")
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	sendAll(t, b, 5, 6)
	b.Close()
	events := func(from int) string { return numbers("", from, 6) + "event: end\ndata: {}\n\n" }
	if diff := cmp.Diff(events(3), body(t, res)); diff != "" {
		t.Errorf("a new viewer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(events(2), body(t, resumed)); diff != "" {
		t.Errorf("one that comes back (-want +got):\n%s", diff)
	}
	if res := get(t, url, "3"); res.StatusCode != http.StatusNoContent {
		t.Errorf("after the end: %s", res.Status)
	}
}

// S2: what is no longer retained is a gap, exact, with the id of its last value.
func TestS2Gap(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(3))
	url := serve(t, &sse.Handler[int]{Source: b})
	sendAll(t, b, 0, 10)
	res := get(t, url, "4")
	b.Close()
	want := "id: 6\nevent: gap\ndata: {\"missed\":2}\n\nid: 7\ndata: 7\n\nid: 8\ndata: 8\n\nid: 9\ndata: 9\n\nevent: end\ndata: {}\n\n"
	if diff := cmp.Diff(want, body(t, res)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// S2: what is missing in the broadcast itself is a gap in its place; before the
// first value it has no id, so that who comes back begins with the first.
func TestS2GapOfTheBroadcast(t *testing.T) {
	b := broadcast.New[int]()
	url := serve(t, &sse.Handler[int]{Source: b})
	res := get(t, url, "")
	must(0, b.ReportGap(4))
	sendAll(t, b, 0, 1)
	must(0, b.ReportGap(0))
	b.Close()
	want := "event: gap\ndata: {\"missed\":4}\n\nid: 0\ndata: 0\n\nid: 0\nevent: gap\ndata: {\"missed\":0,\"atLeast\":true}\n\nevent: end\ndata: {}\n\n"
	if diff := cmp.Diff(want, body(t, res)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// S3: a viewer of another run, or with an id that makes no sense, begins anew and
// is told.
func TestS3Reset(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(3))
	sendAll(t, b, 0, 4)
	bare := serve(t, &sse.Handler[int]{Source: b})
	named := serve(t, &sse.Handler[int]{Source: b, Run: "r2"})
	open := map[string]*http.Response{
		"bare future": get(t, bare, "9"), "bare nonsense": get(t, bare, "x"), "bare other": get(t, bare, "r2-1"),
		"named other": get(t, named, "r1-1"), "named bare": get(t, named, "1"), "named future": get(t, named, "r2-99"),
		"bare largest": get(t, bare, "18446744073709551615"),
	}
	fine := get(t, named, "r2-2")
	b.Close()
	for name, res := range open {
		prefix := ""
		if strings.HasPrefix(name, "named") {
			prefix = "r2-"
		}
		want := "event: reset\ndata: {}\n\n" + numbers(prefix, 1, 4)
		if diff := cmp.Diff(want+"event: end\ndata: {}\n\n", body(t, res)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := body(t, fine); !strings.HasPrefix(got, "id: r2-3\ndata: 3\n\n") {
		t.Errorf("of this run: %q", got)
	}
}

// A deadlineWriter is a response on which time can be seen to pass.
type deadlineWriter struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (w *deadlineWriter) SetWriteDeadline(d time.Time) error {
	w.deadlines = append(w.deadlines, d)
	return nil
}

// S4: a heartbeat comes when there was no news for so long, counted from the last
// write, and each write has its own deadline.
func TestS4HeartbeatAndDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int]()
		w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
		h := &sse.Handler[int]{Source: b, Heartbeat: time.Minute, WriteTimeout: time.Second, Retry: 2 * time.Second}
		start := time.Now()
		go func() {
			time.Sleep(90 * time.Second) // a heartbeat before
			sendAll(t, b, 0, 2)
			time.Sleep(59 * time.Second) // none
			sendAll(t, b, 2, 3)
			time.Sleep(61 * time.Second) // one
			b.Close()
		}()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		want := "retry: 2000\n\n:\n\nid: 0\ndata: 0\n\nid: 1\ndata: 1\n\nid: 2\ndata: 2\n\n:\n\nevent: end\ndata: {}\n\n"
		if diff := cmp.Diff(want, w.Body.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		var at []float64
		for _, d := range w.deadlines {
			at = append(at, d.Sub(start).Seconds())
		}
		at = append(at[:2:2], at[len(at)-3:]...) // the two values may have been written apart
		if diff := cmp.Diff([]float64{1, 61, 150, 210, 211}, at); diff != "" {
			t.Errorf("deadlines (-want +got):\n%s", diff)
		}
	})
}

// S5: a viewer that takes nothing loses its connection, its subscription ends,
// and nobody else notices. When it comes back, it is told its gap.
func TestS5StalledViewerIsLetGo(t *testing.T) {
	b := broadcast.New[string](broadcast.WithCapacity(10))
	h := &sse.Handler[string]{Source: b, WriteTimeout: 50 * time.Millisecond, Name: func(req *http.Request) string { return req.URL.Path }}
	server := httptest.NewServer(h)
	defer server.Close()
	conn := must(net.Dial("tcp", server.Listener.Addr().String()))
	defer conn.Close()
	must(io.WriteString(conn, "GET /stalled HTTP/1.1\r\nHost: x\r\n\r\n"))
	testkit.Watchdog(t, func() {
		for len(b.Stats().Subscriptions) == 0 {
			time.Sleep(time.Millisecond) // until it is there
		}
		big := strings.Repeat("x", 100_000)
		for len(b.Stats().Subscriptions) > 0 {
			must(0, b.Send(t.Context(), big))
		}
	})
	sent := b.Stats().Sent
	res := get(t, server.URL, "0")
	b.Close()
	if got := body(t, res); !strings.HasPrefix(got, fmt.Sprintf("id: %d\nevent: gap\ndata: {\"missed\":%d}\n\n", sent-11, sent-11)) {
		t.Errorf("%d sent, got %.60q", sent, got)
	}
}

// C1, C8: a viewer that leaves takes its subscription along.
func TestViewerLeaves(t *testing.T) {
	b := broadcast.New[int]()
	url := serve(t, &sse.Handler[int]{Source: b})
	res := get(t, url, "")
	sendAll(t, b, 0, 1)
	if line := must(bufio.NewReader(res.Body).ReadString('\n')); line != "id: 0\n" {
		t.Errorf("got %q", line)
	}
	res.Body.Close()
	testkit.Watchdog(t, func() {
		for len(b.Stats().Subscriptions) > 0 {
			time.Sleep(time.Millisecond)
		}
	})
}

// Encode, Before and After make the events; one that can't be made is a gap that
// says why.
func TestEvents(t *testing.T) {
	b := broadcast.New[int]()
	h := &sse.Handler[int]{
		Source: b,
		Encode: func(v int) (sse.Event, error) {
			if v == 1 {
				return sse.Event{}, errors.New("one is odd")
			}
			return sse.Event{ID: "ignored", Name: "num\nber", Data: fmt.Appendf(nil, "a %d\nb\r\nc\rd", v)}, nil
		},
		Before: func(req *http.Request) (sse.Event, error) {
			return sse.Event{Name: "hello", Data: []byte(req.URL.Path)}, nil
		},
		After: func(*http.Request) (sse.Event, error) { return sse.Event{Name: "bye"}, nil },
	}
	url := serve(t, h)
	res := get(t, url+"/me", "")
	sendAll(t, b, 0, 2)
	b.Close()
	want := "event: hello\ndata: /me\n\nid: 0\nevent: num ber\ndata: a 0\ndata: b\ndata: c\ndata: d\n\n" +
		"id: 1\nevent: gap\ndata: {\"missed\":1,\"error\":\"one is odd\"}\n\nevent: bye\ndata: \n\n"
	if diff := cmp.Diff(want, body(t, res)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("event: hello\ndata: /late\n\nevent: bye\ndata: \n\n", body(t, get(t, url+"/late", ""))); diff != "" {
		t.Errorf("late (-want +got):\n%s", diff)
	}
	h2 := &sse.Handler[int]{Source: broadcast.New[int](), Before: func(*http.Request) (sse.Event, error) { return sse.Event{}, errors.New("no") }}
	if res := get(t, serve(t, h2), ""); res.StatusCode != http.StatusInternalServerError {
		t.Errorf("Before failed: %s", res.Status)
	}
	res, err := http.Post(url, "text/plain", nil)
	if err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %v, %v", res.Status, err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}

// C5: misuse panics at the call that is wrong.
func TestC5Misuse(t *testing.T) {
	b := broadcast.New[int]()
	call := func(h *sse.Handler[int]) func() {
		return func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) }
	}
	testkit.Panics(t, map[string]func(){
		"sse: Handler.ServeHTTP: Source must not be nil":                     call(&sse.Handler[int]{}),
		"sse: Handler.ServeHTTP: Replay must not be negative, got -1":        call(&sse.Handler[int]{Source: b, Replay: -1}),
		"sse: Handler.ServeHTTP: WriteTimeout must not be negative, got -1s": call(&sse.Handler[int]{Source: b, WriteTimeout: -time.Second}),
	})
}

// B1, B2: many viewers of many values, who leave and come back at random: each
// gets every number once, or in a gap.
func TestViewersThatComeAndGo(t *testing.T) {
	const n = 3000
	b := broadcast.New[int](broadcast.WithCapacity(200))
	url := serve(t, &sse.Handler[int]{Source: b, Replay: n})
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for viewer := range 5 {
			wg.Go(func() {
				next, last := 0, ""
				knows := false // where it is, which the first event tells
				for next < n {
					ctx, cancel := context.WithCancel(t.Context())
					req := must(http.NewRequestWithContext(ctx, http.MethodGet, url, nil))
					if last != "" {
						req.Header.Set("Last-Event-ID", last)
					}
					client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
					res, err := client.Do(req)
					if err != nil || res.StatusCode != http.StatusOK {
						cancel()
						return // it is over
					}
					lines := bufio.NewScanner(res.Body)
					gap := false
					for lines.Scan() {
						key, value, _ := strings.Cut(lines.Text(), ": ")
						switch key {
						case "id":
							last = value
						case "event":
							gap = value == "gap"
						case "data":
							var v int
							switch {
							case gap:
								fmt.Sscanf(value, `{"missed":%d}`, &v)
								if number := must(strconv.Atoi(last)); knows && next+v != number+1 {
									t.Errorf("missed %d from %d up to %d", v, next, number)
								} else {
									next, knows = number+1, true
								}
							case value != "{}":
								fmt.Sscan(value, &v)
								if knows && v != next {
									t.Errorf("got %d, want %d", v, next)
								}
								if last != strconv.Itoa(v) {
									t.Errorf("the id of %d is %q", v, last)
								}
								next, knows = v+1, true
							}
							gap = false
						}
						if next%(100+viewer) == 99 {
							break
						}
					}
					cancel()
					res.Body.Close()
				}
			})
		}
		for i := range n {
			must(0, b.Send(t.Context(), i))
			if i%50 == 0 {
				time.Sleep(time.Millisecond) // so that the viewers see most of it
			}
		}
		b.Close()
		wg.Wait()
	})
}

// A clock for browsers: a new viewer gets the last value at once.
func ExampleHandler() {
	b := broadcast.New[string]()
	server := httptest.NewServer(&sse.Handler[string]{Source: b, Replay: 1})
	defer server.Close()
	_ = b.TrySend("11:59")
	_ = b.TrySend("12:00")
	res, err := http.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer res.Body.Close()
	b.Close() // viewers get what is left, and are told that this was all
	_, _ = io.Copy(os.Stdout, res.Body)
	// Output:
	// id: 1
	// data: "12:00"
	//
	// event: end
	// data: {}
}
