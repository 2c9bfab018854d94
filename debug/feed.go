package debug

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/broadcast/sse"
)

// A feed sends snapshots to open pages. It exists while there is at least one.
type feed struct {
	cast    *broadcast.Broadcast[[]byte]
	events  *sse.Handler[[]byte]
	viewers int // Handler.mu
	cancel  context.CancelFunc
	sampler sync.WaitGroup
}

// stream sends a viewer snapshots until it leaves.
func (h *Handler) stream(w http.ResponseWriter, req *http.Request) {
	f := h.enter()
	if f == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	defer h.leave(f)
	f.events.ServeHTTP(w, req)
}

// enter counts a viewer in, and starts the feed for the first. It returns nil if h is
// closed.
func (h *Handler) enter() *feed {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	if h.feed == nil {
		// A viewer that is too slow goes on with the newest figures.
		cast := broadcast.New[[]byte](broadcast.WithCapacity(1))
		ctx, cancel := context.WithCancel(context.Background())
		h.feed = &feed{cast: cast, cancel: cancel, events: &sse.Handler[[]byte]{
			Source:   sse.From(cast),
			Encode:   func(text []byte) (sse.Event, error) { return sse.Event{Data: text}, nil },
			Replay:   1,
			Overflow: broadcast.SkipToLatest,
		}}
		h.feed.sampler.Go(func() { h.samples(ctx, cast) })
	}
	h.feed.viewers++
	return h.feed
}

// leave counts a viewer out, and ends the feed after the last.
func (h *Handler) leave(f *feed) {
	h.mu.Lock()
	f.viewers--
	last := f.viewers == 0
	if last {
		h.feed = nil
	}
	h.mu.Unlock()
	if last {
		f.cancel()
		f.sampler.Wait()
		_ = f.cast.Close() // it returns nil
	}
}

// samples sends a snapshot now and then until ctx or the broadcast ends.
func (h *Handler) samples(ctx context.Context, to *broadcast.Broadcast[[]byte]) {
	interval := h.Interval
	if interval == 0 {
		interval = time.Second
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for to.Send(ctx, h.sample()) == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
