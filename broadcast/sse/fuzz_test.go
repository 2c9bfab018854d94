package sse_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
)

// FuzzStream: what is written, read as the HTML standard says, are the values, ids and
// gaps that the viewer is to get, whatever is in the values and whatever the viewer
// says that it has seen. Each value of the script begins with a byte that says what is
// odd about it; they are separated by a 0xFE. In last, # stands for run.
func FuzzStream(f *testing.F) {
	f.Add([]byte("\x00plain\xfe\x00two\nlines\xfe\x01name:data\xfe\x02an error\xfe\x03a panic"), "", "", byte(3), byte(2), "hello")
	f.Add([]byte("\x00\xfe\x00\n\xfe\x00\r\n\r\xfe\x00 a\xfe\x00: b\xfe\x00data: c\xfe\x00id: 7\n\nx"), "r", "#-1", byte(9), byte(0), "id: 8\n\nx")
	f.Add([]byte("\x01\ufeffbom\n\x00:\x00\xff\xfe\x01 space:\ufeff\xfe\x01retry\nretry: 5:x"), "r \u00e9-", "#--1", byte(2), byte(9), "\n")
	f.Add([]byte("\x00a\xfe\x00b\xfe\x00c\xfe\x00d"), "", "18446744073709551615", byte(2), byte(0), "\x00")
	f.Add([]byte("\x00a\xfe\x00b\xfe\x00c\xfe\x00d"), "", "+1", byte(1), byte(0), "\r")
	quiet := context.WithValue(context.Background(), http.ServerContextKey, &http.Server{ErrorLog: log.New(io.Discard, "", 0)})
	f.Fuzz(func(t *testing.T, script []byte, run, last string, capacity, replay byte, other string) {
		if strings.ContainsFunc(run, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 || r == '\ufffd' }) || strings.HasPrefix(run, " ") {
			t.Skip("no Run")
		}
		last = strings.ReplaceAll(last, "#", run)
		values := strings.Split(string(script), "\xfe")
		b := broadcast.New[string](broadcast.WithCapacity(1 + int(capacity)))
		for _, v := range values {
			must(0, b.TrySend(v))
		}
		b.Close()
		h := &sse.Handler[string]{
			Source: sse.From(b), Run: run, Replay: int(replay), Encode: encodeOdd, Retry: time.Duration(capacity) * 300 * time.Microsecond,
			Before: func(*http.Request) (sse.Event, error) {
				return sse.Event{ID: other, Name: other, Data: []byte(other)}, nil
			},
			After: func(*http.Request) (sse.Event, error) { return sse.Event{Name: "bye", Data: []byte(other)}, nil },
		}
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req.WithContext(quiet))

		p := &parser{last: last}
		got := p.parse(w.Body.String())
		want, end := expected(values, run, last, 1+int(capacity), int(replay), other)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", w.Body, diff)
		}
		if p.last != end {
			t.Errorf("%q: the viewer comes back with %q, want %q", w.Body, p.last, end)
		}
	})
}

// encodeOdd is an Encode to which the first byte of a value says what to do.
func encodeOdd(v string) (sse.Event, error) {
	how, rest := byte(0), v
	if v != "" {
		how, rest = v[0]%4, v[1:]
	}
	switch how {
	case 1:
		name, data, _ := strings.Cut(rest, ":")
		return sse.Event{ID: "no", Name: name, Data: []byte(data)}, nil
	case 2:
		return sse.Event{}, errors.New(rest)
	case 3:
		panic(rest)
	}
	return sse.Event{Data: []byte(rest)}, nil
}

// expected returns what a viewer gets that has seen last, and what it names then.
func expected(values []string, run, last string, capacity, replay int, other string) (events []event, end string) {
	id := func(number int) string {
		if run == "" {
			return strconv.Itoa(number)
		}
		return run + "-" + strconv.Itoa(number)
	}
	utf8 := func(s string) string { return string([]rune(s)) }
	oneLine := func(s string) string { return utf8(strings.NewReplacer("\r", " ", "\n", " ", "\x00", " ").Replace(s)) }
	lines := func(s string) string {
		return utf8(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"))
	}
	name := func(s string) string {
		if s = oneLine(s); s == "" {
			return "message"
		}
		return s
	}
	oldest := max(0, len(values)-capacity)
	next, reset := max(oldest, len(values)-replay), false
	if last != "" {
		reset, next = true, oldest
		for number := -1; number < len(values); number++ {
			if id(number) == last {
				reset, next = false, number+1
			}
		}
	}
	first := event{id(next - 1), name(other), lines(other)}
	if other != "" {
		first.ID = oneLine(other)
	}
	events = append(events, first)
	if reset {
		events = append(events, event{id(next - 1), "reset", "{}"})
	}
	if next < oldest {
		events = append(events, event{id(oldest - 1), "gap", fmt.Sprintf(`{"missed":%d}`, oldest-next)})
		next = oldest
	}
	for ; next < len(values); next++ {
		ev := event{ID: id(next)}
		how, rest := byte(0), values[next]
		if rest != "" {
			how, rest = rest[0]%4, rest[1:]
		}
		switch how {
		case 0:
			ev.Name, ev.Data = "message", lines(rest)
		case 1:
			n, d, _ := strings.Cut(rest, ":")
			ev.Name, ev.Data = name(n), lines(d)
		case 2:
			ev.Name = "gap"
			ev.Data = `{"missed":1}` // an error without a text
			if rest != "" {
				ev.Data = `{"missed":1,"error":` + quoted(rest) + `}`
			}
		case 3:
			ev.Name, ev.Data = "gap", `{"missed":1,"error":"Encode panicked"}`
		}
		events = append(events, ev)
	}
	return append(events, event{id(len(values) - 1), "bye", lines(other)}), id(len(values) - 1)
}

func quoted(s string) string { return string(must(json.Marshal(s))) }
