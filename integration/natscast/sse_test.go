package natscast_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/broadcast/sse"
	"github.com/tandemgo/tandem/integration/internal/natsserver"
)

// A broadcast across processes is streamed to browsers like any other.
func TestServerSentEvents(t *testing.T) {
	for name, open := range kinds {
		t.Run(name, func(t *testing.T) {
			b := open(t, natsserver.Connect(t, natsserver.Start(t).URL()), "news")
			probe, err := b.Subscribe()
			if err != nil {
				t.Fatal(err)
			}
			if err := b.Send(context.Background(), 7); err != nil {
				t.Fatal(err)
			}
			if _, err := probe.Next(context.Background()); err != nil { // the value has arrived
				t.Fatal(err)
			}
			b.Close()
			w := httptest.NewRecorder()
			h := &sse.Handler[int]{Source: sse.From(b), Replay: 1}
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			if !strings.Contains(w.Body.String(), "id: 0\ndata: 7\n\nevent: end\n") {
				t.Errorf("got %q", w.Body)
			}
		})
	}
}
