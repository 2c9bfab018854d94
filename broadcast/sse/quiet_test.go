package sse_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

// overBoth runs test over HTTP/1.1 and over HTTP/2, each in a bubble.
func overBoth(t *testing.T, test func(t *testing.T, over transport)) {
	t.Helper()
	for _, over := range []transport{{name: "HTTP/1.1"}, {name: "HTTP/2", h2: true}} {
		t.Run(over.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, over) })
		})
	}
}

// S4: a connection without news lasts for as long as the viewer likes, whatever the
// deadlines are, those of the server included. What is sent then arrives.
func TestS4AQuietStreamLasts(t *testing.T) {
	for name, h := range map[string]*sse.Handler[int]{
		"defaults":                      {},
		"heartbeats before deadlines":   {Heartbeat: time.Second, WriteTimeout: time.Minute},
		"no heartbeats":                 {Heartbeat: 1000 * time.Hour, WriteTimeout: time.Second},
		"longest":                       {Heartbeat: 1<<63 - 1, WriteTimeout: 1<<63 - 1},
		"heartbeats with the deadlines": {Heartbeat: time.Second, WriteTimeout: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, over transport) {
				b := broadcast.New[int]()
				h := &sse.Handler[int]{Source: sse.From(b), Heartbeat: h.Heartbeat, WriteTimeout: h.WriteTimeout}
				client, stop := over.inBubble(t, h, &http.Server{
					ReadTimeout: 2 * time.Second, ReadHeaderTimeout: time.Second, WriteTimeout: 3 * time.Second, IdleTimeout: 4 * time.Second,
				})
				defer stop()
				res := must(client.Get("http://host/"))
				defer res.Body.Close()
				v := newViewer(res)
				go func() {
					for i := range 3 {
						time.Sleep(time.Hour)
						_ = b.TrySend(i)
					}
					time.Sleep(time.Hour)
					b.Close()
				}()
				if diff := cmp.Diff(then(numbers("", 0, 3), ended("2")), v.rest(t)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What a stream leaves on a connection does not harm the next request on it.
func TestADeadlineEndsWithItsStream(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		b := broadcast.New[int]()
		mux := http.NewServeMux()
		mux.Handle("/events", &sse.Handler[int]{Source: sse.From(b)})
		mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Minute)
			_, _ = io.WriteString(w, "fine")
		})
		client, stop := over.inBubble(t, mux, &http.Server{})
		defer stop()
		res := must(client.Get("http://host/events"))
		b.Close()
		newViewer(res).rest(t)
		res.Body.Close()
		res = must(client.Get("http://host/slow"))
		if got := string(must(io.ReadAll(res.Body))); got != "fine" {
			t.Errorf("got %q", got)
		}
		res.Body.Close()
	})
}

// A returns tells when a handler has returned.
func returns(h http.Handler) (wrapped http.Handler, returned <-chan struct{}) {
	done := make(chan struct{})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer close(done)
		h.ServeHTTP(w, req)
	}), done
}

// S5: a viewer that takes nothing for WriteTimeout ends its own stream, no sooner,
// while the rest of an HTTP/2 connection goes on. It may be a heartbeat that it does
// not take.
func TestS5TheDeadlineEndsTheStream(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[string]()
		h, returned := returns(&sse.Handler[string]{Source: sse.From(b), WriteTimeout: 50 * time.Millisecond})
		mux := http.NewServeMux()
		mux.Handle("/events", h)
		mux.HandleFunc("/other", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })
		s := over.serve(t, mux)
		client := s.client(t)
		client.Transport.(*http.Transport).HTTP2.MaxReceiveBufferPerConnection = 1 << 20 // room for others
		res := must(client.Do(s.request(t, "/events", "")))
		defer res.Body.Close()
		testkit.Watchdog(t, func() {
			big := strings.Repeat("x", 10_000_000) // more than buffers hold
			must(0, b.Send(t.Context(), big))
			<-returned
		})
		other := must(client.Do(s.request(t, "/other", "")))
		defer other.Body.Close()
		if got := string(must(io.ReadAll(other.Body))); got != "fine" {
			t.Errorf("another request on the same client: %q", got)
		}
	})
}

// S5: heartbeats are not waited for either, and the time is WriteTimeout: on a pipe,
// which has no buffers, a viewer that does not read stalls the first write.
func TestS5AHeartbeatHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int]()
		h, returned := returns(&sse.Handler[int]{Source: sse.From(b), Heartbeat: time.Minute, WriteTimeout: 7 * time.Second})
		l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: h}
		var serving sync.WaitGroup
		serving.Go(func() { _ = server.Serve(l) })
		theirs, ours := net.Pipe()
		l.conns <- theirs
		must(io.WriteString(ours, "GET / HTTP/1.1\r\nHost: host\r\n\r\n"))
		begin := time.Now()
		for got := ""; !strings.Contains(got, "id: -1\n\n"); {
			buf := make([]byte, 1000)
			got += string(buf[:must(ours.Read(buf))])
		}
		must(io.ReadFull(ours, make([]byte, 2))) // the end of the chunk
		<-returned
		if got := time.Since(begin); got != time.Minute+7*time.Second {
			t.Errorf("it ended after %v", got)
		}
		if st := b.Stats(); len(st.Subscriptions) > 0 {
			t.Errorf("there is %+v", st.Subscriptions)
		}
		ours.Close()
		_ = server.Close()
		serving.Wait()
	})
}

// onlyFlush is what a middleware makes of a writer that knows Flush and no deadlines.
type onlyFlush struct{ hidden }

func (w onlyFlush) Flush() { w.w.(http.Flusher).Flush() }

// hidden is what a middleware makes of a writer that knows nothing else.
type hidden struct{ w http.ResponseWriter }

func (w hidden) Header() http.Header         { return w.w.Header() }
func (w hidden) Write(p []byte) (int, error) { return w.w.Write(p) }
func (w hidden) WriteHeader(code int)        { w.w.WriteHeader(code) }

// B4, S5: where a middleware hides deadlines, a viewer that stalls keeps its
// goroutine, since nobody else can end a write, but neither its subscription nor a
// sender.
func TestS5WithoutDeadlinesTheSubscriptionEnds(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[string](broadcast.WithCapacity(1))
		h := &sse.Handler[string]{Source: sse.From(b), WriteTimeout: 50 * time.Millisecond, Overflow: broadcast.Block}
		wrapped, returned := returns(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			h.ServeHTTP(onlyFlush{hidden{w}}, req)
		}))
		s := over.serve(t, wrapped)
		v := s.open(t, "")
		v.place(t)
		s.stall()
		testkit.Watchdog(t, func() {
			for len(b.Stats().Subscriptions) > 0 {
				must(0, b.Send(t.Context(), strings.Repeat("x", 100_000)))
			}
		})
		s.resume()
		testkit.Watchdog(t, func() {
			for ev, err := v.next(); err == nil; ev, err = v.next() {
				if ev.Name == "end" {
					t.Error("the viewer was told that the broadcast has ended")
				}
			}
			<-returned
		})
	})
}

// S5: where all of an HTTP/2 connection is stuck, the server has to end it.
func TestS5AStuckConnection(t *testing.T) {
	for _, over := range transports {
		if !over.h2 {
			continue
		}
		t.Run(over.name, func(t *testing.T) {
			b := broadcast.New[string]()
			h, returned := returns(&sse.Handler[string]{Source: sse.From(b), WriteTimeout: 50 * time.Millisecond})
			s := over.serve(t, h, func(server *http.Server) {
				server.HTTP2 = &http.HTTP2Config{WriteByteTimeout: 100 * time.Millisecond}
			})
			s.open(t, "").place(t)
			s.stall()
			defer s.resume()
			testkit.Watchdog(t, func() {
				for len(b.Stats().Subscriptions) > 0 {
					must(0, b.Send(t.Context(), strings.Repeat("x", 100_000)))
				}
				<-returned
			})
		})
	}
}

// raw sends a request as it is.
func raw(t *testing.T, s *site, request string) net.Conn {
	t.Helper()
	conn := must(net.Dial("tcp", s.server.Listener.Addr().String()))
	t.Cleanup(func() { conn.Close() })
	must(io.WriteString(conn, request))
	return conn
}

// An answer to HTTP/1.0 is the stream, up to the end of the connection.
func TestHTTP10(t *testing.T) {
	b := broadcast.New[int]()
	s := transports[0].serve(t, &sse.Handler[int]{Source: sse.From(b), Replay: 1})
	sendAll(t, b, 0, 2)
	b.Close()
	head, body, _ := strings.Cut(string(must(io.ReadAll(raw(t, s, "GET / HTTP/1.0\r\n\r\n")))), "\r\n\r\n")
	if !strings.HasPrefix(head, "HTTP/1.0 200 OK\r\n") || strings.Contains(strings.ToLower(head), "chunked") {
		t.Errorf("the header is %q", head)
	}
	if diff := cmp.Diff(then(numbers("", 1, 2), ended("1")), new(parser).parse(body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// B4: a request with a body that never comes gets its stream, and delays no sender.
func TestABodyThatNeverComes(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(1))
	s := transports[0].serve(t, &sse.Handler[int]{Source: sse.From(b), Overflow: broadcast.Block})
	for _, more := range []string{"Content-Length: 5\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nabc", "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"} {
		conn := raw(t, s, "GET / HTTP/1.1\r\nHost: host\r\n"+more)
		await := func(text string) {
			for got := ""; !strings.Contains(got, text); {
				buf := make([]byte, 1000)
				got += string(buf[:must(conn.Read(buf))])
			}
		}
		testkit.Watchdog(t, func() {
			await("id: ")
			for i := range 10 {
				must(0, b.Send(t.Context(), i))
			}
			await("data: 9\n")
		})
		conn.Close()
	}
	testkit.Watchdog(t, func() { // a body is read no more: a write finds out that its viewer is gone
		for i := 0; len(b.Stats().Subscriptions) > 0; i++ {
			must(0, b.Send(t.Context(), i))
		}
	})
}

// A stream whose context a middleware ends is over in time, and is resumed.
func TestAMiddlewareEndsTheContext(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		b := broadcast.New[int]()
		h := &sse.Handler[int]{Source: sse.From(b)}
		client, stop := over.inBubble(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			ctx, cancel := context.WithTimeoutCause(req.Context(), time.Minute, broadcast.ErrClosed)
			defer cancel()
			h.ServeHTTP(w, req.WithContext(ctx))
		}), &http.Server{})
		defer stop()
		begin := time.Now()
		res := must(client.Get("http://host/"))
		v := newViewer(res)
		if got := v.rest(t); got != nil || time.Since(begin) != time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), got)
		}
		res.Body.Close()
		sendAll(t, b, 0, 2)
		req := must(http.NewRequest(http.MethodGet, "http://host/", nil))
		req.Header.Set("Last-Event-ID", v.last)
		res = must(client.Do(req))
		b.Close()
		if diff := cmp.Diff(then(numbers("", 0, 2), ended("1")), newViewer(res).rest(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		res.Body.Close()
	})
}

// The write behind the last event, which is that of net/http, has a deadline, too.
func TestADeadlineIsLeftForNetHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		h := &sse.Handler[int]{Source: sse.From(broadcast.New[int]()), WriteTimeout: time.Minute}
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		if got := time.Until(w.deadlines[len(w.deadlines)-1]); got != time.Minute {
			t.Errorf("the deadline is in %v", got)
		}
	})
}
