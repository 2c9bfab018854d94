package sse_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
	"github.com/tandemgo/tandem/internal/testkit"
)

// S1: a connection that breaks before its first event is resumed where it was, or
// with a gap, however often that happens, and whatever else it began with.
func TestS1ABreakBeforeTheFirstEvent(t *testing.T) {
	before := func(id string) func(*http.Request) (sse.Event, error) {
		return func(*http.Request) (sse.Event, error) { return sse.Event{ID: id, Name: "hello"}, nil }
	}
	gap := event{"1", "gap", `{"missed":2}`}
	for name, tt := range map[string]struct {
		h     *sse.Handler[int]
		sent  int    // before the viewer comes
		last  string // what it says then
		place string // what it knows as the connection breaks
		want  []event
	}{
		"empty":         {place: "-1", want: append([]event{gap}, numbers("", 2, 5)...)},
		"run":           {h: &sse.Handler[int]{Run: "r"}, place: "r--1", want: append([]event{{"r-1", "gap", `{"missed":2}`}}, numbers("r-", 2, 5)...)},
		"numeric run":   {h: &sse.Handler[int]{Run: "1-2 \u00e9"}, sent: 3, place: "1-2 \u00e9-2", want: numbers("1-2 \u00e9-", 3, 5)},
		"some":          {sent: 3, place: "2", want: numbers("", 3, 5)},
		"replay":        {h: &sse.Handler[int]{Replay: 2}, sent: 4, place: "1", want: numbers("", 2, 5)},
		"before":        {h: &sse.Handler[int]{Before: before("")}, sent: 4, place: "3", want: append([]event{{"3", "hello", ""}}, numbers("", 4, 5)...)},
		"before, id":    {h: &sse.Handler[int]{Before: before("3")}, sent: 3, place: "2", want: append([]event{{"3", "hello", ""}}, numbers("", 3, 5)...)},
		"resumed":       {sent: 4, last: "2", place: "2", want: numbers("", 3, 5)},
		"reset, future": {sent: 3, last: "3", place: "-1", want: append([]event{gap}, numbers("", 2, 5)...)},
		"reset, text":   {sent: 3, last: "nonsense", place: "-1", want: append([]event{gap}, numbers("", 2, 5)...)},
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, over transport) {
				for _, policy := range []broadcast.OverflowPolicy{broadcast.SkipOldest, broadcast.Block, broadcast.Disconnect} {
					b := broadcast.New[int](broadcast.WithCapacity(3))
					h := another(tt.h)
					h.Source, h.Overflow = sse.From(b), policy
					s := over.serve(t, h)
					sendAll(t, b, 0, tt.sent)
					v := s.open(t, tt.last)
					got := v.place(t)
					if h.Before == nil && !strings.HasPrefix(name, "reset") {
						if again := s.open(t, got); again.place(t) != got {
							t.Errorf("after two breaks it is at %q", again.last)
						}
					}
					if got != tt.place {
						t.Errorf("the viewer is at %q, want %q", got, tt.place)
					}
					v.leave()
					testkit.Watchdog(t, func() { // Block: all have left
						s.server.CloseClientConnections()
						for len(b.Stats().Subscriptions) > 0 {
							time.Sleep(time.Millisecond)
						}
					})
					sendAll(t, b, tt.sent, 5)
					back := s.open(t, got)
					b.Close()
					want := then(tt.want, ended(tt.want[len(tt.want)-1].ID))
					if diff := cmp.Diff(want, back.rest(t)); diff != "" {
						t.Errorf("policy %v (-want +got):\n%s", policy, diff)
					}
				}
			})
		})
	}
}

// S1: the event of Before may have any id, which the page sees; the browser comes back
// with that of its place. The same holds for After.
func TestS1IDsOfOtherEvents(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		for _, id := range []string{"7", "0", "x", "r-9", "\x00", "\x01", " "} {
			b := broadcast.New[int]()
			sendAll(t, b, 0, 3)
			other := func(*http.Request) (sse.Event, error) { return sse.Event{ID: id, Name: "other"}, nil }
			s := over.serve(t, &sse.Handler[int]{Source: sse.From(b), Before: other, After: other})
			v := s.open(t, "1")
			if ev := must(v.next()); ev.Name != "other" {
				t.Fatalf("got %v", ev)
			}
			b.Close()
			v.rest(t)
			if v.last != "2" {
				t.Errorf("Before and After with id %q: the viewer comes back with %q", id, v.last)
			}
		}
	})
}

// S1: a viewer that was away when the broadcast was closed gets what is retained, and
// the end; only if nothing is left for it, the answer is 204.
func TestS1ReturnsAfterClose(t *testing.T) {
	retained := append([]event{{"6", "gap", `{"missed":2}`}}, numbers("", 7, 10)...)
	reset := append([]event{{"6", "reset", "{}"}}, numbers("", 7, 10)...)
	for name, tt := range map[string]struct {
		h    *sse.Handler[int]
		last string
		want []event // nil: 204
	}{
		"nothing left":      {last: "9"},
		"new":               {},
		"new, with replay":  {h: &sse.Handler[int]{Replay: 2}, want: numbers("", 8, 10)},
		"retained":          {last: "7", want: numbers("", 8, 10)},
		"gap":               {last: "4", want: retained},
		"gap, Block":        {h: &sse.Handler[int]{Overflow: broadcast.Block}, last: "4", want: retained},
		"gap, Disconnect":   {h: &sse.Handler[int]{Overflow: broadcast.Disconnect}, last: "4", want: retained},
		"gap, SkipToLatest": {h: &sse.Handler[int]{Overflow: broadcast.SkipToLatest}, last: "4", want: append([]event{{"8", "gap", `{"missed":4}`}}, numbers("", 9, 10)...)},
		"never got one":     {last: "-1", want: append([]event{{"6", "gap", `{"missed":7}`}}, numbers("", 7, 10)...)},
		"future":            {last: "10", want: reset},
		"nonsense":          {last: "x", want: reset},
		"other run":         {last: "r-9", want: reset},
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, over transport) {
				b := broadcast.New[int](broadcast.WithCapacity(3))
				sendAll(t, b, 0, 10)
				b.Close()
				h := another(tt.h)
				h.Source = sse.From(b)
				s := over.serve(t, h)
				for range 2 { // it can be said twice
					res := s.get(t, "/", tt.last)
					if tt.want == nil {
						if res.StatusCode != http.StatusNoContent {
							t.Errorf("status %s", res.Status)
						}
						continue
					}
					v := newViewer(res)
					if diff := cmp.Diff(then(tt.want, ended("9")), v.rest(t)); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
					if res := s.get(t, "/", v.last); res.StatusCode != http.StatusNoContent {
						t.Errorf("then: status %s", res.Status)
					}
				}
				h.After = func(*http.Request) (sse.Event, error) { return sse.Event{Name: "bye"}, nil }
				h.Before = func(*http.Request) (sse.Event, error) { return sse.Event{Name: "hello"}, nil }
				var names []string
				for _, ev := range over.serve(t, h).open(t, tt.last).rest(t) {
					names = append(names, ev.Name)
				}
				want := []string{"hello"}
				for _, ev := range tt.want {
					want = append(want, ev.Name)
				}
				if diff := cmp.Diff(append(want, "bye"), names); diff != "" {
					t.Errorf("with Before and After (-want +got):\n%s", diff)
				}
				if n := len(b.Stats().Subscriptions); n > 0 {
					t.Errorf("%d subscriptions are left", n)
				}
			})
		})
	}
}

// S2: what the broadcast itself misses at its end is not lost with it.
func TestS2GapBeforeClose(t *testing.T) {
	for _, missed := range []uint64{0, 4} {
		b := broadcast.New[int]()
		sendAll(t, b, 0, 1)
		must(0, b.ReportGap(missed))
		b.Close()
		v := transports[2].serve(t, &sse.Handler[int]{Source: sse.From(b)}).open(t, "0")
		if got := v.rest(t); len(got) != 2 || got[0].Name != "gap" {
			t.Errorf("got %v", got)
		}
	}
	b := broadcast.New[int]()
	b.Close()
	if res := transports[2].serve(t, &sse.Handler[int]{Source: sse.From(b), Replay: 5}).get(t, "/", "x"); res.StatusCode != http.StatusNoContent {
		t.Errorf("nothing was ever sent: %s", res.Status)
	}
}

// S2: a viewer that is disconnected as too slow comes back, is told its gap and goes
// on, as often as that happens.
func TestS2DisconnectedViewersComeBack(t *testing.T) {
	overEach(t, func(t *testing.T, over transport) {
		b := broadcast.New[int](broadcast.WithCapacity(3))
		s := over.serve(t, &sse.Handler[int]{Source: sse.From(b), Overflow: broadcast.Disconnect})
		sendAll(t, b, 0, 1)
		last := s.open(t, "").place(t)
		for sent := 1; sent < 40; sent += 13 {
			sendAll(t, b, sent, sent+13)
			v := s.open(t, last)
			want := []event{{fmt.Sprint(sent + 9), "gap", `{"missed":10}`}}
			if diff := cmp.Diff(then(want, numbers("", sent+10, sent+13)...), []event{must(v.next()), must(v.next()), must(v.next()), must(v.next())}); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			last = v.last
			v.leave()
		}
		b.Close()
	})
}

// S2: what is missing in the broadcast itself, just where a viewer comes back, is told
// once under each policy.
func TestS2GapAtTheReturn(t *testing.T) {
	for _, policy := range []broadcast.OverflowPolicy{broadcast.SkipOldest, broadcast.SkipToLatest, broadcast.Block, broadcast.Disconnect} {
		b := broadcast.New[int]()
		s := transports[2].serve(t, &sse.Handler[int]{Source: sse.From(b), Overflow: policy})
		sendAll(t, b, 0, 1)
		must(0, b.ReportGap(4))
		sendAll(t, b, 1, 2)
		v := s.open(t, "0")
		b.Close()
		if diff := cmp.Diff([]event{{"0", "gap", `{"missed":4}`}, {"1", "message", "1"}, ended("1")}, v.rest(t)); diff != "" {
			t.Errorf("policy %v (-want +got):\n%s", policy, diff)
		}
	}
}

type badError struct{ text string }

func (e *badError) Error() string { return e.text }

// S2: a value that can't be encoded, for whatever reason, is a gap of one. The viewer
// gets what is before and behind it, over as many connections as that takes.
func TestS2ValuesThatCannotBeEncoded(t *testing.T) {
	for name, tt := range map[string]struct {
		fail   func() error
		why    string
		logged string
	}{
		"error":           {func() error { return errors.New("no\nway") }, "no\\nway", ""},
		"panic":           {func() error { panic("poison") }, "Encode panicked", "sse: Encode panicked: poison\n"},
		"panic, error":    {func() error { panic(io.EOF) }, "Encode panicked", "sse: Encode panicked: EOF\n"},
		"panic, nil":      {func() error { panic(nil) }, "Encode panicked", "nil argument"},
		"panic, run time": {func() error { return []error{}[len(numbers("", 0, 1))] }, "Encode panicked", "index out of range"},
		"panic, abort":    {func() error { panic(http.ErrAbortHandler) }, "Encode panicked", "abort"},
		"error, nil":      {func() error { return (*badError)(nil) }, "\\u003cnil\\u003e", ""},
		"Goexit":          {func() error { runtime.Goexit(); return nil }, "tandem: function called runtime.Goexit", ""},
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, over transport) {
				for _, bad := range []string{"2", "4", "0", "0123", "01234"} {
					b := broadcast.New[int]()
					s := over.serve(t, &sse.Handler[int]{Source: sse.From(b), Replay: 10, Encode: func(v int) (sse.Event, error) {
						if strings.Contains(bad, fmt.Sprint(v)) {
							return sse.Event{ID: "x", Name: "y", Data: []byte("z")}, tt.fail()
						}
						return sse.Event{Data: fmt.Append(nil, v)}, nil
					}})
					sendAll(t, b, 0, 5)
					b.Close()
					var want []event
					for _, ev := range numbers("", 0, 5) {
						if strings.Contains(bad, ev.ID) {
							ev.Name, ev.Data = "gap", fmt.Sprintf(`{"missed":1,"error":"%s"}`, tt.why)
						}
						want = append(want, ev)
					}
					var got []event
					connections := 0
					for last, over := "", false; !over && connections < 20; connections++ {
						res := s.get(t, "/", last)
						if res.StatusCode == http.StatusNoContent {
							break
						}
						v := newViewer(res)
						for ev, err := v.next(); err == nil; ev, err = v.next() {
							if over = ev.Name == "end"; !over {
								got = append(got, ev)
							}
						}
						last = v.last
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s is bad (-want +got):\n%s", bad, diff)
					}
					if name != "Goexit" && connections != 1 {
						t.Errorf("it took %d connections", connections)
					}
					if logged := s.logged.String(); tt.logged == "" && logged != "" || strings.Count(logged, tt.logged) < min(1, len(tt.logged)) {
						t.Errorf("logged %q", logged)
					}
				}
			})
		})
	}
}

type badJSON struct{ n int }

func (v badJSON) MarshalJSON() ([]byte, error) {
	if v.n == 1 {
		panic("poison")
	}
	return fmt.Append(nil, v.n), nil
}

// S2: the same holds for values that are written as JSON.
func TestS2ValuesWithoutJSON(t *testing.T) {
	b := broadcast.New[any]()
	s := transports[2].serve(t, &sse.Handler[any]{Source: sse.From(b), Replay: 10})
	for _, v := range []any{badJSON{0}, badJSON{1}, func() {}, 3} {
		must(0, b.TrySend(v))
	}
	b.Close()
	want := []event{
		{"0", "message", "0"},
		{"1", "gap", `{"missed":1,"error":"Encode panicked"}`},
		{"2", "gap", `{"missed":1,"error":"json: unsupported type: func()"}`},
		{"3", "message", "3"}, ended("3"),
	}
	if diff := cmp.Diff(want, s.open(t, "").rest(t)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Retry is rounded up to milliseconds: a browser that is told 0 comes back at once,
// again and again.
func TestRetryIsRoundedUp(t *testing.T) {
	for retry, want := range map[time.Duration]string{
		0: "", 1: "1", time.Microsecond: "1", 500 * time.Microsecond: "1", time.Millisecond - 1: "1", time.Millisecond: "1",
		time.Millisecond + 1: "2", 1500 * time.Microsecond: "2", time.Second: "1000", 1<<63 - 1: "9223372036855",
	} {
		b := broadcast.New[int]()
		sendAll(t, b, 0, 1)
		b.Close()
		w := httptest.NewRecorder()
		h := &sse.Handler[int]{Source: sse.From(b), Retry: retry, Replay: 1}
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		p := new(parser)
		if p.parse(w.Body.String()); p.retry != want {
			t.Errorf("%v: retry %q, want %q", retry, p.retry, want)
		}
	}
}

// another returns a Handler with some of the fields of h, which may be nil.
func another(h *sse.Handler[int]) *sse.Handler[int] {
	if h == nil {
		return new(sse.Handler[int])
	}
	return &sse.Handler[int]{Run: h.Run, Replay: h.Replay, Overflow: h.Overflow, Before: h.Before, Heartbeat: h.Heartbeat, WriteTimeout: h.WriteTimeout}
}
