package debug

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// A Handler is an http.Handler that serves the page, see the documentation of the
// package. The zero value is ready and shows nothing; [Add] adds to it. A Handler must not
// be copied, and is safe for concurrent use. It works under any path.
type Handler struct {
	// Interval is how often an open page is sent new figures. 0 means a second. It must
	// not be changed once the Handler serves.
	Interval time.Duration

	mu      sync.Mutex
	sources []source
	feed    *feed // nil while no page is open
	closed  bool
}

// Stats are the figures that a Handler can show. A *pool.Pool, *pipeline.Observer,
// *inflight.Limiter, *ratelimit.Limiter, *ratelimit.Keyed and *broadcast.Broadcast have a
// method that returns one of them.
type Stats interface {
	pool.Stats | pipeline.Stats | inflight.Stats | ratelimit.Stats | ratelimit.KeyedStats | broadcast.Stats
}

// Add makes h show x under a name. It replaces an x with the same name and the same type of
// Stats. h keeps x until it is replaced or removed. Add panics if h or x is nil, and if
// name is empty.
//
// Stats of x is called on a goroutine of h, under no lock. If it panics, the page shows that.
func Add[S Stats](h *Handler, name string, x interface{ Stats() S }) {
	misuse.Nil(h == nil, "debug: Add: handler")
	if name == "" {
		panic("debug: Add: name must not be empty")
	}
	misuse.Nil(isNil(x), "debug: Add: "+name)
	s := newSource(name, x)
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.sources, func(old source) bool { return old.name == name && old.kind == s.kind })
	if i < 0 {
		h.sources = append(h.sources, s)
		return
	}
	h.sources[i] = s
}

// isNil reports whether x is nil or holds a nil pointer, whose Stats would panic at each
// look.
func isNil[S Stats](x interface{ Stats() S }) bool {
	v := reflect.ValueOf(x)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// Remove makes h forget all that has the name.
func (h *Handler) Remove(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sources = slices.DeleteFunc(h.sources, func(s source) bool { return s.name == name })
}

// Close ends the streams of open pages, which http.Server.Shutdown waits for otherwise:
//
//	server.RegisterOnShutdown(func() { _ = h.Close() })
//
// It does not wait for them. The page and the JSON are still served. Close returns nil.
func (h *Handler) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.feed != nil {
		_ = h.feed.cast.Close() // it returns nil
	}
	return nil
}

// ServeHTTP serves the page, or with ?format=json or ?format=events the figures. A stream
// of events ends when the viewer leaves, accepts nothing for 10 seconds, or h is closed.
// The answer to another method than GET and HEAD is 405, to another format 400, and to a
// stream from a closed h 204. ServeHTTP panics if Interval is negative.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	misuse.Negative(h.Interval, "debug: Handler.ServeHTTP: Interval")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are allowed", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch format := req.URL.Query().Get("format"); format {
	case "":
		servePage(w)
	case "json":
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(h.sample()) // the client is gone, if it fails
	case "events":
		h.stream(w, req)
	default:
		http.Error(w, fmt.Sprintf("format must be json or events, got %q", format), http.StatusBadRequest)
	}
}
