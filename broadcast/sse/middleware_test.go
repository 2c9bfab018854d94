package sse_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
)

// wrapped makes a middleware of what wraps a writer.
func wrapped(wrap func(w http.ResponseWriter) http.ResponseWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { next.ServeHTTP(wrap(w), req) })
	}
}

type (
	// unwraps is hidden, and says so.
	unwraps struct{ hidden }
	// flushesIfIt can: it passes on what it may not have.
	flushesIfIt struct{ unwraps }
	// flushError passes Flush on, with its error, and hides the rest.
	flushError struct{ hidden }
	// failing can't flush, for a reason of its own.
	failing struct {
		hidden
		err error
	}
	// hollow unwraps to nothing.
	hollow struct{ hidden }
)

func (w unwraps) Unwrap() http.ResponseWriter { return w.w }
func (w flushesIfIt) Flush() {
	if f, ok := w.w.(http.Flusher); ok {
		f.Flush()
	}
}
func (w flushError) FlushError() error       { return http.NewResponseController(w.w).Flush() }
func (w failing) FlushError() error          { return w.err }
func (w hollow) Unwrap() http.ResponseWriter { return nil }

// A stream that can't work is refused, and the answer and the log say why: a browser
// that gets a 500 does not come back.
func TestAMiddlewareThatHidesFlush(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"hidden": wrapped(func(w http.ResponseWriter) http.ResponseWriter { return hidden{w} }),
		"hidden, unwrapped": wrapped(func(w http.ResponseWriter) http.ResponseWriter {
			return unwraps{hidden{hidden{w}}}
		}),
		"hidden behind a Flush that does nothing": wrapped(func(w http.ResponseWriter) http.ResponseWriter {
			return flushesIfIt{unwraps{hidden{hidden{w}}}}
		}),
		"hidden behind a Flush that fails": wrapped(func(w http.ResponseWriter) http.ResponseWriter {
			return flushError{hidden{hidden{w}}}
		}),
		"not supported": wrapped(func(w http.ResponseWriter) http.ResponseWriter { return failing{hidden{w}, http.ErrNotSupported} }),
		"failing":       wrapped(func(w http.ResponseWriter) http.ResponseWriter { return failing{hidden{w}, errors.New("no")} }),
		"hollow":        wrapped(func(w http.ResponseWriter) http.ResponseWriter { return hollow{hidden{w}} }),
		"TimeoutHandler": func(h http.Handler) http.Handler {
			return http.TimeoutHandler(h, time.Minute, "slow")
		},
		"something in TimeoutHandler": func(h http.Handler) http.Handler {
			return http.TimeoutHandler(wrapped(func(w http.ResponseWriter) http.ResponseWriter {
				return flushesIfIt{unwraps{hidden{w}}}
			})(h), time.Minute, "slow")
		},
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, over transport) {
				b := broadcast.New[int]()
				sendAll(t, b, 0, 1)
				s := over.serve(t, wrap(&sse.Handler[int]{Source: sse.From(b), Replay: 10}))
				res := s.get(t, "/", "")
				body := string(must(io.ReadAll(res.Body)))
				if res.StatusCode != http.StatusInternalServerError || strings.Contains(res.Header.Get("Content-Type"), "event-stream") {
					t.Errorf("%s, %q", res.Status, res.Header)
				}
				for _, text := range []string{body, s.logged.String()} {
					if !strings.Contains(text, "middleware") || !strings.Contains(text, "Flush") {
						t.Errorf("it is said %q", text)
					}
				}
				if n := len(b.Stats().Subscriptions); n > 0 {
					t.Errorf("%d subscriptions are left", n)
				}
			})
		})
	}
}

// A middleware that lets Flush through, in whatever way, does no harm.
func TestAMiddlewareThatHasFlush(t *testing.T) {
	for name, wrap := range map[string]func(w http.ResponseWriter) http.ResponseWriter{
		"unwraps":       func(w http.ResponseWriter) http.ResponseWriter { return unwraps{hidden{w}} },
		"unwraps twice": func(w http.ResponseWriter) http.ResponseWriter { return unwraps{hidden{unwraps{hidden{w}}}} },
		"Flush":         func(w http.ResponseWriter) http.ResponseWriter { return onlyFlush{hidden{w}} },
		"Flush, unwrapped": func(w http.ResponseWriter) http.ResponseWriter {
			return unwraps{hidden{onlyFlush{hidden{w}}}}
		},
		"Flush and Unwrap": func(w http.ResponseWriter) http.ResponseWriter { return flushesIfIt{unwraps{hidden{w}}} },
		"FlushError":       func(w http.ResponseWriter) http.ResponseWriter { return flushError{hidden{unwraps{hidden{w}}}} },
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, over transport) {
				b := broadcast.New[int]()
				s := over.serve(t, wrapped(wrap)(&sse.Handler[int]{Source: sse.From(b)}))
				v := s.open(t, "")
				v.place(t)
				for i := range 3 {
					sendAll(t, b, i, i+1)
					if got := must(v.next()); got != numbers("", i, i+1)[0] {
						t.Errorf("got %v", got)
					}
				}
				b.Close()
				if diff := cmp.Diff([]event{ended("2")}, v.rest(t)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if got := s.logged.String(); got != "" {
					t.Errorf("logged %q", got)
				}
			})
		})
	}
}

// A compressor decides at the first Write whether it compresses. A Flush before that
// sends the header as it is, and spoils the response.
type compressor struct {
	http.ResponseWriter
	gz   *gzip.Writer
	held []byte // until so many bytes are written, or flushed, where eager is false
	lazy bool
}

func (w *compressor) begin() {
	if w.gz == nil {
		w.Header().Set("Content-Encoding", "gzip")
		w.gz = gzip.NewWriter(w.ResponseWriter)
	}
}

func (w *compressor) Write(p []byte) (int, error) {
	if w.lazy && len(w.held)+len(p) < 1000 {
		w.held = append(w.held, p...)
		return len(p), nil
	}
	w.begin()
	if _, err := w.gz.Write(w.held); err != nil {
		return 0, err
	}
	w.held = nil
	return w.gz.Write(p)
}

func (w *compressor) Flush() {
	switch {
	case w.lazy && w.gz == nil && len(w.held) == 0:
		return // nothing to flush
	case w.lazy && len(w.held) > 0:
		w.begin()
		_, _ = w.gz.Write(w.held)
		w.held = nil
	}
	if w.gz != nil {
		_ = w.gz.Flush()
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *compressor) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The header, and each event, pass a compressor at once, though there is no event yet.
func TestTheHeaderPassesACompressor(t *testing.T) {
	for name, wrap := range map[string]func(w http.ResponseWriter) http.ResponseWriter{
		"eager": func(w http.ResponseWriter) http.ResponseWriter { return &compressor{ResponseWriter: w} },
		"lazy":  func(w http.ResponseWriter) http.ResponseWriter { return &compressor{ResponseWriter: w, lazy: true} },
		"behind another": func(w http.ResponseWriter) http.ResponseWriter {
			return unwraps{hidden{&compressor{ResponseWriter: w}}}
		},
		"before another": func(w http.ResponseWriter) http.ResponseWriter {
			return &compressor{ResponseWriter: unwraps{hidden{w}}, lazy: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			overEach(t, func(t *testing.T, over transport) {
				b := broadcast.New[int]()
				s := over.serve(t, wrapped(wrap)(&sse.Handler[int]{Source: sse.From(b), Heartbeat: time.Hour}))
				req := s.request(t, "/", "")
				req.Header.Set("Accept-Encoding", "gzip")
				res := must(s.client(t).Do(req)) // it returns when the header is there
				defer res.Body.Close()
				if got := res.Header.Get("Content-Encoding"); got != "gzip" {
					t.Fatalf("encoded as %q", got)
				}
				res.Body = io.NopCloser(must(gzip.NewReader(res.Body)))
				v := newViewer(res)
				v.place(t)
				for i := range 3 {
					sendAll(t, b, i, i+1)
					if got := must(v.next()); got != numbers("", i, i+1)[0] {
						t.Errorf("got %v", got)
					}
				}
				b.Close()
			})
		})
	}
}
