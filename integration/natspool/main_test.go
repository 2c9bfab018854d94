package natspool_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/integration/internal/natsserver"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/pool/natspool"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience is how long anything that must happen may take.
const patience = 30 * time.Second

var names atomic.Int64

// newName returns a name that no other pool has.
func newName(t testing.TB) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name())
	return fmt.Sprintf("%s-%d", name[:min(len(name), 40)], names.Add(1))
}

// connect returns JetStream on a connection of its own to url.
func connect(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(natsserver.Connect(t, url))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// newPool returns a pool that is closed with the test, by force if it must be.
func newPool[T, R any](t testing.TB, js jetstream.JetStream, name string, workers int, fn pool.Func[T, R], opts ...natspool.Option) *natspool.Pool[T, R] {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p, err := natspool.New(ctx, js, name, workers, fn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			t.Errorf("at the end of the test: %v", err)
		}
	})
	return p
}
