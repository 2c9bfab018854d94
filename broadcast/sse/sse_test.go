package sse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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

func sendAll(t *testing.T, b *broadcast.Broadcast[int], from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		must(0, b.Send(t.Context(), i))
	}
}

// numbers is what a viewer gets of them.
func numbers(prefix string, from, to int) (events []event) {
	for i := from; i < to; i++ {
		events = append(events, event{prefix + strconv.Itoa(i), "message", strconv.Itoa(i)})
	}
	return events
}

// then appends to events.
func then(events []event, more ...event) []event { return append(events, more...) }

// ended is the event end behind the value, or the gap, with that id.
func ended(id string) event { return event{id, "end", "{}"} }

// S1: each value is an event, its sequence number the id, in order; a viewer that
// comes back goes on exactly where it was.
func TestS1ResumesFromTheLog(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[int]()
		s := over.serve(t, &sse.Handler[int]{Source: sse.From(b), Replay: 2})
		sendAll(t, b, 0, 5)
		fresh, resumed := s.open(t, ""), s.open(t, "1")
		if got := fresh.res.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("content type %q", got)
		}
		sendAll(t, b, 5, 6)
		b.Close()
		if diff := cmp.Diff(then(numbers("", 3, 6), ended("5")), fresh.rest(t)); diff != "" {
			t.Errorf("a new viewer (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(then(numbers("", 2, 6), ended("5")), resumed.rest(t)); diff != "" {
			t.Errorf("one that comes back (-want +got):\n%s", diff)
		}
		if res := s.get(t, "/", fresh.last); res.StatusCode != http.StatusNoContent {
			t.Errorf("after the end: %s", res.Status)
		}
	})
}

// S2: what is no longer retained is a gap, exact, with the id of its last value.
func TestS2Gap(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[int](broadcast.WithCapacity(3))
		s := over.serve(t, &sse.Handler[int]{Source: sse.From(b)})
		sendAll(t, b, 0, 10)
		v := s.open(t, "4")
		b.Close()
		want := append([]event{{"6", "gap", `{"missed":2}`}}, then(numbers("", 7, 10), ended("9"))...)
		if diff := cmp.Diff(want, v.rest(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// S2: what is missing in the broadcast itself is a gap in its place; one before the
// first value leaves the viewer before all values.
func TestS2GapOfTheBroadcast(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[int]()
		s := over.serve(t, &sse.Handler[int]{Source: sse.From(b)})
		v := s.open(t, "")
		must(0, b.ReportGap(4))
		sendAll(t, b, 0, 1)
		must(0, b.ReportGap(0))
		b.Close()
		want := []event{{"-1", "gap", `{"missed":4}`}, {"0", "message", "0"}, {"0", "gap", `{"missed":0,"atLeast":true}`}, ended("0")}
		if diff := cmp.Diff(want, v.rest(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// S3: a viewer of another run, or with an id that the Handler does not write, begins
// anew and is told.
func TestS3Reset(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[int](broadcast.WithCapacity(3))
		sendAll(t, b, 0, 4)
		bare := over.serve(t, &sse.Handler[int]{Source: sse.From(b)})
		named := over.serve(t, &sse.Handler[int]{Source: sse.From(b), Run: "r2"})
		open := map[string]*viewer{}
		for _, last := range []string{
			"4", "9", "x", "r2-1", "-2", "+2", "02", "-0", "2 ", "1.5", "0x1", "9223372036854775807",
			"9223372036854775808", "18446744073709551615", "-9223372036854775808", strings.Repeat("9", 1000), "\u00e9", "\xff",
		} {
			if last != "2 " { // the space does not come through
				open["bare "+last] = bare.open(t, last)
			}
		}
		for _, last := range []string{"r1-1", "1", "r2-99", "r2-", "r2", "r2--2", "r2-+1", "R2-1", "r2-r2-1", "-1"} {
			open["named "+last] = named.open(t, last)
		}
		fine := named.open(t, "r2-2")
		b.Close()
		for name, v := range open {
			prefix := ""
			if strings.HasPrefix(name, "named") {
				prefix = "r2-"
			}
			want := append([]event{{prefix + "0", "reset", "{}"}}, then(numbers(prefix, 1, 4), ended(prefix+"3"))...)
			if diff := cmp.Diff(want, v.rest(t)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		if diff := cmp.Diff(then(numbers("r2-", 3, 4), ended("r2-3")), fine.rest(t)); diff != "" {
			t.Errorf("of this run (-want +got):\n%s", diff)
		}
	})
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
// write, each write has its own deadline, and there is none while nothing is written.
func TestS4HeartbeatAndDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int]()
		w := &deadlineWriter{ResponseRecorder: httptest.NewRecorder()}
		h := &sse.Handler[int]{Source: sse.From(b), Heartbeat: time.Minute, WriteTimeout: time.Second, Retry: 2 * time.Second}
		start := time.Now()
		go func() {
			time.Sleep(90 * time.Second) // a heartbeat before
			sendAll(t, b, 0, 1)
			time.Sleep(59 * time.Second) // none
			sendAll(t, b, 1, 2)
			time.Sleep(61 * time.Second) // one
			b.Close()
		}()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		want := ":\nretry: 2000\nid: -1\n\n:\n\nid: 0\ndata: 0\n\nid: 1\ndata: 1\n\n:\n\nevent: end\ndata: {}\n\n"
		if diff := cmp.Diff(want, w.Body.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		var at []float64
		for _, d := range w.deadlines {
			if d.IsZero() {
				at = append(at, 0)
			} else {
				at = append(at, d.Sub(start).Seconds())
			}
		}
		// What net/http writes behind the last event has the deadline of that.
		if diff := cmp.Diff([]float64{1, 0, 61, 0, 91, 0, 150, 0, 210, 0, 211}, at); diff != "" {
			t.Errorf("deadlines (-want +got):\n%s", diff)
		}
	})
}

// S5: a viewer that takes nothing loses its subscription, and nobody else notices,
// not even a sender that waits for it. When it comes back, it is told its gap.
func TestS5StalledViewerIsLetGo(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		for _, policy := range []broadcast.OverflowPolicy{broadcast.SkipOldest, broadcast.Block} {
			b := broadcast.New[string](broadcast.WithCapacity(10))
			s := over.serve(t, &sse.Handler[string]{Source: sse.From(b), WriteTimeout: 50 * time.Millisecond, Overflow: policy})
			s.open(t, "").place(t)
			s.stall()
			big := strings.Repeat("x", 100_000)
			testkit.Watchdog(t, func() {
				for len(b.Stats().Subscriptions) > 0 {
					must(0, b.Send(t.Context(), big))
				}
			})
			s.resume()
			sent := b.Stats().Sent
			if sent < 12 {
				must(b.SendBatch(t.Context(), make([]string, 12)))
				sent += 12
			}
			back := over.serve(t, &sse.Handler[string]{Source: sse.From(b)}).open(t, "0")
			b.Close()
			want := event{fmt.Sprint(sent - 11), "gap", fmt.Sprintf(`{"missed":%d}`, sent-11)}
			if got := must(back.next()); got != want {
				t.Errorf("%d sent, got %.60v, want %v", sent, got, want)
			}
		}
	})
}

// C1, C8: a viewer that leaves takes its subscription along.
func TestViewerLeaves(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[int]()
		s := over.serve(t, &sse.Handler[int]{Source: sse.From(b)})
		v := s.open(t, "")
		sendAll(t, b, 0, 1)
		if got := must(v.next()); got.ID != "0" {
			t.Errorf("got %v", got)
		}
		v.leave()
		testkit.Watchdog(t, func() {
			for len(b.Stats().Subscriptions) > 0 {
				time.Sleep(time.Millisecond)
			}
		})
	})
}

// Encode, Before and After make the events; one that can't be made is a gap that
// says why.
func TestEvents(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[int]()
		s := over.serve(t, &sse.Handler[int]{
			Source: sse.From(b),
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
		})
		v := newViewer(s.get(t, "/me", ""))
		sendAll(t, b, 0, 2)
		b.Close()
		want := []event{
			{"-1", "hello", "/me"}, {"0", "num ber", "a 0\nb\nc\nd"},
			{"1", "gap", `{"missed":1,"error":"one is odd"}`}, {"1", "bye", ""},
		}
		if diff := cmp.Diff(want, v.rest(t)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		want = []event{{"1", "hello", "/late"}, {"1", "bye", ""}}
		if diff := cmp.Diff(want, newViewer(s.get(t, "/late", "")).rest(t)); diff != "" {
			t.Errorf("late (-want +got):\n%s", diff)
		}
		res, err := s.client(t).Post(s.server.URL, "text/plain", nil)
		if err != nil || res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != http.MethodGet {
			t.Errorf("POST: %v, %v", res, err)
		}
		res.Body.Close()
		fails := over.serve(t, &sse.Handler[int]{
			Source: sse.From(broadcast.New[int]()),
			Before: func(*http.Request) (sse.Event, error) { return sse.Event{}, errors.New("no") },
		})
		if res := fails.get(t, "/", ""); res.StatusCode != http.StatusInternalServerError {
			t.Errorf("Before failed: %s", res.Status)
		}
	})
}

// C5: misuse panics at the call that is wrong.
func TestC5Misuse(t *testing.T) {
	b := broadcast.New[int]()
	call := func(h *sse.Handler[int]) func() {
		return func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)) }
	}
	run := func(got string) string {
		return "sse: Handler.ServeHTTP: Run must be UTF-8 without control characters, and not begin with a space, got " + got
	}
	testkit.Panics(t, map[string]func(){
		"sse: Handler.ServeHTTP: Source must not be nil":                      call(&sse.Handler[int]{}),
		"sse: Handler.ServeHTTP: Replay must not be negative, got -1":         call(&sse.Handler[int]{Source: sse.From(b), Replay: -1}),
		"sse: Handler.ServeHTTP: WriteTimeout must not be negative, got -1s":  call(&sse.Handler[int]{Source: sse.From(b), WriteTimeout: -time.Second}),
		"sse: Handler.ServeHTTP: Heartbeat must not be negative, got -1ns":    call(&sse.Handler[int]{Source: sse.From(b), Heartbeat: -1}),
		"sse: Handler.ServeHTTP: Retry must not be negative, got -500\u00b5s": call(&sse.Handler[int]{Source: sse.From(b), Retry: -500 * time.Microsecond}),
		run(`"a\nb"`):   call(&sse.Handler[int]{Source: sse.From(b), Run: "a\nb"}),
		run(`"a\x00b"`): call(&sse.Handler[int]{Source: sse.From(b), Run: "a\x00b"}),
		run(`"a\x7fb"`): call(&sse.Handler[int]{Source: sse.From(b), Run: "a\x7fb"}),
		run(`"\xff"`):   call(&sse.Handler[int]{Source: sse.From(b), Run: "\xff"}),
		run(`" a"`):     call(&sse.Handler[int]{Source: sse.From(b), Run: " a"}),
	})
}

// B1, B2: many viewers of many values, who leave and come back at random: each
// gets every number once, or in a gap, from when it first came.
func TestViewersThatComeAndGo(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		const n = 1000
		b := broadcast.New[int](broadcast.WithCapacity(100))
		s := over.serve(t, &sse.Handler[int]{Source: sse.From(b), Replay: n})
		testkit.Watchdog(t, func() {
			var wg sync.WaitGroup
			for i := range 5 {
				wg.Go(func() { comeAndGo(t, s, 20+i, n) })
			}
			for i := range n {
				must(0, b.Send(t.Context(), i))
				if i%20 == 0 {
					time.Sleep(time.Millisecond) // so that the viewers see most of it
				}
			}
			b.Close()
			wg.Wait()
		})
	})
}

// comeAndGo is a viewer of the numbers up to n, which leaves after so many events.
func comeAndGo(t *testing.T, s *site, events, n int) {
	last, sum, first := "", 0, -1
	for client := s.client(t); ; {
		ctx, cancel := context.WithCancel(t.Context())
		res, err := client.Do(s.request(t, "/", last).WithContext(ctx))
		if err != nil {
			t.Error(err)
			cancel()
			return
		}
		v := newViewer(res)
		over := res.StatusCode == http.StatusNoContent // it had left just before the end
		for range events {
			ev, err := v.next()
			if err != nil {
				break
			}
			switch ev.Name {
			case "gap":
				var missed int
				must(fmt.Sscanf(ev.Data, `{"missed":%d}`, &missed))
				sum += missed
			case "message":
				sum++
				if ev.ID != ev.Data {
					t.Errorf("the id of %s is %q", ev.Data, ev.ID)
				}
			case "end":
				over = true
			default:
				t.Errorf("got %v", ev)
			}
			if number := must(strconv.Atoi(ev.ID)); first < 0 {
				first = number - sum + 1
			} else if first+sum != number+1 {
				t.Errorf("at %d: %d received or missed since %d", number, sum, first)
				over = true
			}
		}
		last = v.last
		cancel()
		v.leave()
		if over {
			if first+sum != n {
				t.Errorf("%d received or missed since %d, of %d", sum, first, n)
			}
			return
		}
	}
}

// A clock for browsers: a new viewer gets the last value at once.
func ExampleHandler() {
	b := broadcast.New[string]()
	server := httptest.NewServer(&sse.Handler[string]{Source: sse.From(b), Replay: 1})
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
	// :
	// id: 0
	//
	// id: 1
	// data: "12:00"
	//
	// event: end
	// data: {}
}
