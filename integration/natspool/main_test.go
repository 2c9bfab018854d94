package natspool_test

import (
	"context"
	"fmt"
	"os"
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

func TestMain(m *testing.M) {
	if os.Getenv(workerURL) != "" {
		workUntilKilled() // the program of TestWorkerProcessKilled
	}
	testkit.Main(m)
}

// maxWait is the longest wait for an expected event.
const maxWait = 30 * time.Second

var names atomic.Int64

// newName returns an unused name.
func newName(t testing.TB) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name())
	return fmt.Sprintf("%s-%d", name[:min(len(name), 40)], names.Add(1))
}

// connect returns JetStream on a new connection to url.
func connect(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(natsserver.Connect(t, url))
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// newPool returns a pool that is closed with the test, by Shutdown if necessary.
func newPool[T, R any](t testing.TB, js jetstream.JetStream, name string, workers int, fn pool.Func[T, R], opts ...natspool.Option) *natspool.Pool[T, R] {
	t.Helper()
	p, err := natspool.New(soon(t), js, name, workers, fn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), maxWait)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			t.Errorf("at the end of the test: %v", err)
		}
	})
	return p
}

// soon returns a context that ends after maxWait.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	t.Cleanup(cancel)
	return ctx
}

// until waits until cond returns true.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx := soon(t); !cond(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it does not happen: %s", what)
		}
	}
}

// receive returns a value from ch.
func receive[T any](t testing.TB, ch <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-soon(t).Done():
		t.Fatalf("it does not happen: %s", what)
	}
	return v
}

func must[T any](v T, err error) T {
	must0(err)
	return v
}

func must0(err error) {
	if err != nil {
		panic(err)
	}
}

// checkSum fails the test if the counts of s do not add up.
func checkSum(t testing.TB, s natspool.Stats) {
	t.Helper()
	sum := uint64(s.Running) + s.Completed + s.Failed + s.HandedBack + s.Spared + s.Exhausted
	if s.Delivered != sum || s.Running > s.Workers {
		t.Errorf("delivered %d, the rest is %d: %+v", s.Delivered, sum, s)
	}
}
