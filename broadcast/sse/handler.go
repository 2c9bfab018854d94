package sse

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/misuse"
)

// A Handler streams a broadcast. Its fields must not be changed once it serves.
// It starts no goroutine. Its functions are called on the goroutine of the
// request; several requests are served at once.
type Handler[T any] struct {
	// Source is what is streamed. It is required.
	Source *broadcast.Broadcast[T]

	// Encode makes an event of a value. The id is set by the Handler. If Encode
	// returns an error, the viewer gets a gap in the place of the value, which
	// says so. nil means the value as JSON, as an event without a name, which
	// a browser calls message.
	Encode func(v T) (Event, error)

	// Before, if set, makes an event that each connection begins with: what there
	// is to know before the news. The subscription begins before it is called, so
	// that nothing falls between. Its event has no id unless it sets one. An error
	// is answered with 500.
	Before func(req *http.Request) (Event, error)

	// After, if set, makes the last event when the broadcast has been closed, in
	// the place of end. A viewer that comes later gets Before and After.
	After func(req *http.Request) (Event, error)

	// Replay is how many of the last values a viewer gets that comes for the first
	// time.
	Replay int

	// Policy says what happens to a viewer that is too slow. With Block, it can
	// delay all until WriteTimeout is over.
	Policy broadcast.Policy

	// Run names this run of the program, such as by the time of its start, and
	// becomes a part of the ids: run-number. It must not contain line breaks.
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

	// WriteTimeout is how long a viewer may take to accept what is written. 0
	// means 10 seconds. It is set anew for each write, and takes the place of
	// that of the server.
	WriteTimeout time.Duration

	// Retry, if not 0, tells the browser how long to wait before it comes back.
	Retry time.Duration
}

const batch = 64 // values that are written together at most

var errIdle = errors.New("no news")

// ServeHTTP streams until the viewer leaves, is too slow, or the broadcast is
// closed and all was sent. It panics if Source is nil, or a duration or Replay is
// negative.
func (h *Handler[T]) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h.check()
	if req.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "only GET is allowed", http.StatusMethodNotAllowed)
		return
	}
	sub, reset, err := h.subscribe(req)
	if err == nil {
		defer sub.Close()
	} else if h.After == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := newStream(w, orElse(h.WriteTimeout, 10*time.Second))
	if h.Before != nil {
		ev, err := h.Before(req)
		if err != nil {
			http.Error(w, "cannot begin the stream", http.StatusInternalServerError)
			return
		}
		out.event(ev)
	}
	out.begin(req.ProtoMajor, h.Retry)
	if reset {
		out.event(Event{Name: "reset", Data: []byte("{}")})
	}
	if out.flush() != nil {
		return
	}
	if sub == nil || h.stream(req.Context(), out, sub) {
		h.end(req, out)
	}
}

func (h *Handler[T]) check() {
	misuse.Nil(h.Source == nil, "sse: Handler.ServeHTTP: Source")
	misuse.Negative(h.Replay, "sse: Handler.ServeHTTP: Replay")
	misuse.Negative(h.Heartbeat, "sse: Handler.ServeHTTP: Heartbeat")
	misuse.Negative(h.WriteTimeout, "sse: Handler.ServeHTTP: WriteTimeout")
	misuse.Negative(h.Retry, "sse: Handler.ServeHTTP: Retry")
}

// subscribe begins where the viewer was, if it says so. It reports as reset that
// the viewer was never there in this run.
func (h *Handler[T]) subscribe(req *http.Request) (sub *broadcast.Subscription[T], reset bool, err error) {
	name := req.RemoteAddr
	if h.Name != nil {
		name = h.Name(req)
	}
	opts := []broadcast.SubscribeOption{broadcast.OnOverflow(h.Policy), broadcast.Name(name)}
	last := req.Header.Get("Last-Event-ID")
	if last == "" {
		sub, err = h.Source.Subscribe(append(opts, broadcast.Replay(h.Replay))...)
		return sub, false, err
	}
	if number, ours := h.number(last); ours {
		sub, err = h.Source.Subscribe(append(opts, broadcast.From(number+1))...)
		if err != nil || sub.Seq() == number+1 {
			return sub, false, err
		}
		_ = sub.Close() // it has seen what has not been sent
	}
	sub, err = h.Source.Subscribe(append(opts, broadcast.Replay(math.MaxInt))...)
	return sub, true, err
}

// id is the id of the value with the given number, and number the other way round.
func (h *Handler[T]) id(number uint64) string {
	id := strconv.FormatUint(number, 10)
	if h.Run != "" {
		id = h.Run + "-" + id
	}
	return id
}

func (h *Handler[T]) number(id string) (number uint64, ours bool) {
	if h.Run != "" {
		if id, ours = strings.CutPrefix(id, h.Run+"-"); !ours {
			return 0, false
		}
	}
	number, err := strconv.ParseUint(id, 10, 63)
	return number, err == nil
}

// stream writes what comes and reports whether it was all, to the end.
func (h *Handler[T]) stream(ctx context.Context, out *stream, sub *broadcast.Subscription[T]) (ended bool) {
	values := make([]T, batch)
	for {
		n, err := h.next(ctx, sub, values)
		next := sub.Seq()
		if gap, ok := errors.AsType[*broadcast.GapError](err); ok {
			out.event(h.gap(next, gap, nil))
		} else if errors.Is(err, errIdle) {
			out.comment()
		} else if err != nil {
			return errors.Is(err, broadcast.ErrClosed)
		}
		for i, v := range values[:n] {
			number := next - uint64(n-i)
			ev, err := h.encode(v)
			if err != nil {
				ev = h.gap(number, &broadcast.GapError{Missed: 1}, err)
			}
			ev.ID = h.id(number)
			out.event(ev)
		}
		clear(values[:n])
		if out.flush() != nil {
			return false
		}
	}
}

// next is NextBatch that ends with errIdle when it is time for a heartbeat.
func (h *Handler[T]) next(ctx context.Context, sub *broadcast.Subscription[T], values []T) (int, error) {
	if sub.Backlog() == 0 {
		var cancel func()
		ctx, cancel = context.WithTimeoutCause(ctx, orElse(h.Heartbeat, 15*time.Second), errIdle)
		defer cancel()
	}
	return sub.NextBatch(ctx, values)
}

func (h *Handler[T]) encode(v T) (ev Event, err error) {
	if h.Encode != nil {
		return h.Encode(v)
	}
	ev.Data, err = json.Marshal(v)
	return ev, err
}

// gap is the event that says that values before the one with number next are
// missing.
func (h *Handler[T]) gap(next uint64, gap *broadcast.GapError, why error) Event {
	data := struct {
		Missed  uint64 `json:"missed"`
		AtLeast bool   `json:"atLeast,omitempty"`
		Error   string `json:"error,omitempty"`
	}{Missed: gap.Missed, AtLeast: gap.AtLeast}
	if why != nil {
		data.Error = why.Error()
	}
	text, _ := json.Marshal(data) // it can't fail
	ev := Event{Name: "gap", Data: text}
	if next > 0 { // or it is before all values: who comes back begins with the first
		ev.ID = h.id(next - 1)
	}
	return ev
}

// end writes the last event.
func (h *Handler[T]) end(req *http.Request, out *stream) {
	ev := Event{Name: "end", Data: []byte("{}")}
	if h.After != nil {
		var err error
		if ev, err = h.After(req); err != nil {
			return
		}
	}
	out.event(ev)
	_ = out.flush() // the viewer is gone, if it fails
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
