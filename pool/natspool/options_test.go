package natspool_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/pool/natspool"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// C5: misuse panics at the call that is wrong.
func TestC5MisusePanics(t *testing.T) {
	var noServer struct{ jetstream.JetStream } // nobody gets as far as to ask it
	ctx := t.Context()
	fn := func(context.Context, int) (int, error) { return 0, nil }
	makes := func(name string, workers int, fn pool.Func[int, int], opts ...natspool.Option) func() {
		return func() { _, _ = natspool.New(ctx, noServer, name, workers, fn, opts...) }
	}
	testkit.Panics(t, map[string]func(){
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

// words is a codec for another type than the pool has.
type words struct{}

func (words) Encode(s string) ([]byte, error) { return []byte(s), nil }

func (words) Decode(data []byte) (string, error) { return string(data), nil }

var noContext context.Context
