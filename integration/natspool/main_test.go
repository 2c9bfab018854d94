package natspool_test

import (
	"context"
	"os"
	"testing"

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

const maxWait = natsserver.MaxWait

var (
	newName = natsserver.NewName
	connect = natsserver.JetStream
	soon    = natsserver.Soon
	until   = natsserver.Until
)

func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	return natsserver.Receive(t, ch, what)
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
