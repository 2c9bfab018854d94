package sse

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/afterclose"
	"github.com/tandemgo/tandem/internal/misuse"
)

// A Handler streams the values of broadcasts. It must be used by pointer, and its fields
// must not be changed once it serves. It starts no goroutine. Its functions are called on
// the goroutines of requests; several requests are served at once.
type Handler[T any] struct {
	// Source makes the subscription of a viewer, which may depend on the request: to a
	// broadcast, one topic or several, or a broadcast across processes. It must pass opts
	// on, and may add others: by opts a late viewer of a closed broadcast gets the values
	// that are retained, and not ErrClosed. It is required; [From] makes one for a single broadcast. An
	// error that matches broadcast.ErrClosed is answered with 204, any other with 500. To
	// refuse a request otherwise, do so before it comes to the Handler.
	Source func(req *http.Request, opts ...broadcast.SubscribeOption) (*broadcast.Subscription[T], error)

	// Filter, if set, returns a function that reports whether a viewer gets a value; nil
	// means all values. It is called once for each connection. A value that is filtered
	// out has a number all the same: so the viewer resumes exactly, and the number of
	// missed values in a gap includes those that would have been filtered out. The answer
	// of the filter for a value must not change while the viewer stays.
	Filter func(req *http.Request) func(v T) bool

	// Encode makes an event of a value. It is called once for all viewers of a broadcast
	// that are not far apart, on the goroutine of the first; the others wait for it. The
	// id is set by the Handler. If Encode returns an error, the viewers get a gap in the
	// place of the value, with the text of the error. If Encode panics, the viewers get a
	// gap with the text "Encode panicked", and the ErrorLog of the server gets the value and
	// the stack of the panic. If Encode calls runtime.Goexit, the connection of the first viewer ends
	// after the gap. nil means the value as JSON, as an event without a name, which a
	// browser calls message.
	Encode func(v T) (Event, error)

	// Before, if set, makes an event that each connection begins with, such as the present
	// state. The subscription begins before it is called, so
	// that nothing falls between. Its event has no id unless it sets one; the page
	// sees that, but the browser does not come back with it. An error is answered
	// with 500.
	Before func(req *http.Request) (Event, error)

	// After, if set, makes the last event when the broadcast has been closed, in
	// the place of end. A viewer that comes later gets Before, the values that it has not
	// seen, and After. There is no 204 then, so the page must close its EventSource at that
	// event; otherwise the browser comes back again and again.
	After func(req *http.Request) (Event, error)

	// Replay is how many of the last values a viewer gets that comes for the first
	// time.
	Replay int

	// Overflow is the policy for a viewer that is too slow. With Block, it can
	// delay all until WriteTimeout is over.
	Overflow broadcast.OverflowPolicy

	// Run names this run of the program, such as by the time of its start, and
	// becomes a part of the ids: run-number. It must be UTF-8 without control
	// characters, and not begin with a space: a browser could not send it back.
	// With it, a viewer of a former run is recognised for certain. Without it,
	// ids are bare numbers, and it is recognised only if it has seen more than
	// has been sent since.
	Run string

	// Name names the subscription in the Stats of the broadcast. nil means the
	// address of the viewer.
	Name func(req *http.Request) string

	// Heartbeat is after how long without news a comment is written. 0 means 15
	// seconds.
	Heartbeat time.Duration

	// WriteTimeout is how long a viewer may take to accept a write. 0
	// means 10 seconds. It is set anew for each write, and cleared after it. It takes
	// the place of that of the server.
	WriteTimeout time.Duration

	// Retry, if not 0, tells the browser how long to wait before it comes back. It is
	// rounded up to whole milliseconds.
	Retry time.Duration

	mu     sync.Mutex
	shared map[any]*encoded // by the broadcast; those that have viewers
}

// From returns a Source that subscribes every viewer to b, such as a
// *broadcast.Broadcast or a *natscast.Broadcast. It panics if b is nil.
func From[T any](b interface {
	Subscribe(opts ...broadcast.SubscribeOption) (*broadcast.Subscription[T], error)
}) func(*http.Request, ...broadcast.SubscribeOption) (*broadcast.Subscription[T], error) {
	misuse.Nil(b == nil, "sse: From: broadcast")
	return func(_ *http.Request, opts ...broadcast.SubscribeOption) (*broadcast.Subscription[T], error) {
		return b.Subscribe(opts...)
	}
}

const batch = 64 // values that are written together at most

var errIdle = errors.New("no news")

// ServeHTTP streams until the viewer leaves, is too slow, or the broadcast is
// closed and all was sent. If that is so already, and nothing is left for this
// viewer, the answer is 204, unless After is set. The answer is 500 if the
// ResponseWriter has no Flush, nor one that it unwraps to: a middleware hides it.
// A viewer that Source refuses because the broadcast is closed gets 204, too.
// ServeHTTP panics if Source is nil, a duration or Replay is negative, or Run has a
// character that it must not have.
func (h *Handler[T]) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h.check()
	if req.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET is allowed", http.StatusMethodNotAllowed)
		return
	}
	v, err := h.subscribe(req)
	if errors.Is(err, broadcast.ErrClosed) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if err != nil {
		http.Error(w, "cannot subscribe", http.StatusInternalServerError)
		return
	}
	defer v.sub.Close()
	var leave func()
	v.events, leave = h.share(afterclose.Log(v.sub))
	defer leave()
	values, n := make([]T, batch), 0
	if v.closed { // then this does not wait
		n, err = v.sub.NextBatch(req.Context(), values)
		if errors.Is(err, broadcast.ErrClosed) && h.After == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	var before Event
	if h.Before != nil {
		ev, err := h.Before(req)
		if err != nil {
			http.Error(w, "cannot begin the stream", http.StatusInternalServerError)
			return
		}
		before = ev
	}
	sub := v.sub // a timer that is stopped may keep its function, which is to keep no more
	v.out = &stream{
		w: w, ctl: http.NewResponseController(w), req: req,
		timeout: cmp.Or(h.WriteTimeout, 10*time.Second), late: func() { _ = sub.Close() },
	}
	if !v.out.begin(h.Retry, h.id(v.seq-1)) {
		return
	}
	if h.Before != nil {
		h.extra(v.out, before, v.seq)
	}
	if v.reset {
		v.out.event(Event{Name: "reset", Data: []byte("{}")})
	}
	v.wrote = time.Now()
	if h.Filter != nil {
		v.filter = h.Filter(req)
	}
	if v.stream(req.Context(), values, n, err) {
		h.end(req, v.out, v.sub.Position())
	} else {
		v.out.arm() // net/http may have something to write yet
	}
}

func (h *Handler[T]) check() {
	misuse.Nil(h.Source == nil, "sse: Handler.ServeHTTP: Source")
	misuse.Negative(h.Replay, "sse: Handler.ServeHTTP: Replay")
	misuse.Negative(h.Heartbeat, "sse: Handler.ServeHTTP: Heartbeat")
	misuse.Negative(h.WriteTimeout, "sse: Handler.ServeHTTP: WriteTimeout")
	misuse.Negative(h.Retry, "sse: Handler.ServeHTTP: Retry")
	// A browser could not send another one back: a server refuses a header with control characters.
	if !utf8.ValidString(h.Run) || strings.ContainsFunc(h.Run, unicode.IsControl) || strings.HasPrefix(h.Run, " ") {
		panic(fmt.Sprintf("sse: Handler.ServeHTTP: Run must be UTF-8 without control characters, and not begin with a space, got %q", h.Run))
	}
}

// subscribe returns a viewer that begins behind the id that it names, if it does.
func (h *Handler[T]) subscribe(req *http.Request) (*viewer[T], error) {
	v := &viewer[T]{h: h, heartbeat: cmp.Or(h.Heartbeat, 15*time.Second)}
	name := req.RemoteAddr
	if h.Name != nil {
		name = h.Name(req)
	}
	opts := []broadcast.SubscribeOption{
		broadcast.WithName(name), broadcast.WithOverflow(h.Overflow),
		afterclose.Option(&v.closed).(broadcast.SubscribeOption),
	}
	last := req.Header.Get("Last-Event-ID")
	next, ours := h.after(last)
	begin := broadcast.WithReplay(h.Replay)
	switch {
	case ours:
		begin = broadcast.WithStart(next)
	case last != "":
		v.reset, begin = true, broadcast.WithReplay(math.MaxInt)
	}
	for {
		var err error
		if v.sub, err = h.Source(req, append(opts, begin)...); err != nil {
			return nil, err
		}
		v.seq = v.sub.Position()
		if !ours {
			return v, nil
		}
		if v.seq >= next {
			v.seq = next // a gap begins there, if it is not the position
			return v, nil
		}
		_ = v.sub.Close() // the values sent so far do not reach up to next
		ours, v.reset, begin = false, true, broadcast.WithReplay(math.MaxInt)
	}
}

// id is the id of the value with the given number. The place before all values,
// where number is 0 - 1, has one, too.
func (h *Handler[T]) id(number uint64) string {
	id := strconv.FormatInt(int64(number), 10)
	if h.Run != "" {
		id = h.Run + "-" + id
	}
	return id
}

// after returns the number of the value behind the one with that id. It reports
// false if h has never sent such an id in this run.
func (h *Handler[T]) after(id string) (next uint64, ours bool) {
	digits := id
	if h.Run != "" {
		digits = strings.TrimPrefix(id, h.Run+"-")
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	return uint64(number) + 1, err == nil && number >= -1 && h.id(uint64(number)) == id
}

func (h *Handler[T]) encode(v T) (ev Event, err error) {
	if h.Encode != nil {
		return h.Encode(v)
	}
	ev.Data, err = json.Marshal(v)
	return ev, err
}

// gap is the event for values missing before the one with number next, with the
// reason, if not "".
func (h *Handler[T]) gap(next uint64, gap *broadcast.GapError, why string) Event {
	data := struct {
		Missed  uint64 `json:"missed"`
		AtLeast bool   `json:"atLeast,omitempty"`
		Error   string `json:"error,omitempty"`
	}{gap.Missed, gap.AtLeast, why}
	text, _ := json.Marshal(data) // it can't fail
	ev := Event{Name: "gap", Data: text}
	if next > 0 { // or it is before all values, where the viewer is already
		ev.ID = h.id(next - 1)
	}
	return ev
}

// extra writes an event that is none of the broadcast's, when the viewer is to come
// back to the value with number next.
func (h *Handler[T]) extra(out *stream, ev Event, next uint64) {
	out.event(ev)
	if ev.ID != "" {
		out.id(h.id(next - 1))
	}
}

// end writes the last event.
func (h *Handler[T]) end(req *http.Request, out *stream, next uint64) {
	ev := Event{Name: "end", Data: []byte("{}")}
	if h.After != nil {
		var err error
		if ev, err = h.After(req); err != nil {
			return
		}
	}
	h.extra(out, ev, next)
	_ = out.send() // the viewer is gone, if it fails
}
