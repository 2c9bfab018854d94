package natspool_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/pool/natspool"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// C5: misuse panics at the call that is wrong.
func TestC5MisusePanics(t *testing.T) {
	var noServer struct{ jetstream.JetStream } // never called
	ctx := t.Context()
	fn := func(context.Context, int) (int, error) { return 0, nil }
	makes := func(name string, workers int, fn pool.Func[int, int], opts ...natspool.Option) func() {
		return func() { _, _ = natspool.New(ctx, noServer, name, workers, fn, opts...) }
	}
	zero, zeroFuture := new(natspool.Pool[int, int]), new(natspool.Future[int])
	testkit.Panics(t, map[string]func(){
		"natspool: Go: the zero Pool is not usable, make one with New":          func() { _ = zero.Go(ctx, 1) },
		"natspool: Submit: the zero Pool is not usable, make one with New":      func() { _, _ = zero.Submit(ctx, 1) },
		"natspool: Do: the zero Pool is not usable, make one with New":          func() { _, _ = zero.Do(ctx, 1) },
		"natspool: Schedule: the zero Pool is not usable, make one with New":    func() { _ = zero.Schedule(ctx, "a", natspool.Every(time.Hour), 1) },
		"natspool: Unschedule: the zero Pool is not usable, make one with New":  func() { _ = zero.Unschedule(ctx, "a") },
		"natspool: Schedules: the zero Pool is not usable, make one with New":   func() { zero.Schedules(ctx) },
		"natspool: Pending: the zero Pool is not usable, make one with New":     func() { zero.Pending(ctx) },
		"natspool: Cancel: the zero Pool is not usable, make one with New":      func() { _ = zero.Cancel(ctx, 1) },
		"natspool: DeadLetters: the zero Pool is not usable, make one with New": func() { zero.DeadLetters(ctx) },
		"natspool: Requeue: the zero Pool is not usable, make one with New":     func() { _ = zero.Requeue(ctx, natspool.DeadLetter[int]{}) },
		"natspool: Discard: the zero Pool is not usable, make one with New":     func() { _ = zero.Discard(ctx, 1) },
		"natspool: Close: the zero Pool is not usable, make one with New":       func() { _ = zero.Close() },
		"natspool: Shutdown: the zero Pool is not usable, make one with New":    func() { _ = zero.Shutdown(ctx) },
		"natspool: Stats: the zero Pool is not usable, make one with New":       func() { zero.Stats() },
		"natspool: Future.Wait: the zero Future is not usable, make one with Submit": func() {
			_, _ = zeroFuture.Wait(ctx)
		},
		"natspool: Future.Done: the zero Future is not usable, make one with Submit": func() { zeroFuture.Done() },
		"natspool: New: context must not be nil": func() {
			var none context.Context
			_, _ = natspool.New(none, noServer, "a", 1, fn)
		},
		"natspool: New: JetStream must not be nil":                                              func() { _, _ = natspool.New(ctx, nil, "a", 1, fn) },
		"natspool: New: workers must not be negative, got -1":                                   makes("a", -1, fn),
		"natspool: New: function of a pool with workers must not be nil":                        makes("a", 1, nil),
		`natspool: New: name must be 1 to 64 letters, digits, '-' or '_', got ""`:               makes("", 1, fn),
		`natspool: New: name must be 1 to 64 letters, digits, '-' or '_', got "a.b"`:            makes("a.b", 1, fn),
		`natspool: New: name must be 1 to 64 letters, digits, '-' or '_', got "a>"`:             makes("a>", 0, nil),
		"natspool: WithContext: context must not be nil":                                        func() { natspool.WithContext(noContext) },
		"natspool: WithBackoff: there must be at least one delay, got none":                     func() { natspool.WithBackoff() },
		"natspool: WithBackoff: delays must not be negative, got -1s":                           func() { natspool.WithBackoff(0, -time.Second) },
		"natspool: WithMaxDeliver: deliveries must be at least 1, got 0":                        func() { natspool.WithMaxDeliver(0) },
		"natspool: WithAckWait: time must be at least 100ms, got 1ms":                           func() { natspool.WithAckWait(time.Millisecond) },
		"natspool: WithDuplicateWindow: time must be at least 100ms, got 1ms":                   func() { natspool.WithDuplicateWindow(time.Millisecond) },
		"natspool: WithReplicas: replicas must be 1 to 5, got 6":                                func() { natspool.WithReplicas(6) },
		"natspool: WithErrorHandler: function must not be nil":                                  func() { natspool.WithErrorHandler(nil) },
		"natspool: WithMessageID: function must not be nil":                                     func() { natspool.WithMessageID[int](nil) },
		"natspool: WithTaskCodec: codec must not be nil":                                        func() { natspool.WithTaskCodec[int](nil) },
		"natspool: WithResultCodec: codec must not be nil":                                      func() { natspool.WithResultCodec[int](nil) },
		"natspool: Every: interval must be at least 1s, got 999ms":                              func() { natspool.Every(999 * time.Millisecond) },
		"natspool: Cron: zone must be the same on all machines, got time.Local":                 func() { natspool.Cron("@daily", time.Local) },
		"natspool: Permanent: error must not be nil":                                            func() { _ = natspool.Permanent(nil) },
		"natspool: New: WithMessageID must be for the pool's type int, got func(string) string": makes("a", 1, fn, natspool.WithMessageID(strings.ToUpper)),
		"natspool: New: WithTaskCodec must be for the pool's type int, got natspool_test.words": makes("a", 1, fn,
			natspool.WithTaskCodec[string](words{})),
		"natspool: New: WithResultCodec must be for the pool's type int, got natspool_test.words": makes("a", 1, fn,
			natspool.WithResultCodec[string](words{})),
	})
}

func TestNewUnderAnEndedContext(t *testing.T) {
	var noServer struct{ jetstream.JetStream }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, err := natspool.New[int, int](ctx, noServer, "a", 0, nil)
	if p != nil || err != context.Canceled {
		t.Errorf("got %v, %v", p, err)
	}
}

// New names the line to write if the connection gives up.
func TestConnectionGivesUp(t *testing.T) {
	for _, opts := range []nats.Options{nats.GetDefaultOptions(), {MaxReconnect: -1}} {
		_, err := natspool.New[int, int](t.Context(), onConnection{nc: &nats.Conn{Opts: opts}}, "a", 0, nil)
		if err == nil || !strings.Contains(err.Error(), "nats.MaxReconnects(-1)") {
			t.Errorf("got %v", err)
		}
	}
}

type onConnection struct {
	jetstream.JetStream
	nc *nats.Conn
}

func (c onConnection) Conn() *nats.Conn { return c.nc }

// words is a codec for a type that is not the pool's.
type words struct{}

func (words) Encode(s string) ([]byte, error) { return []byte(s), nil }

func (words) Decode(data []byte) (string, error) { return string(data), nil }

var noContext context.Context
