package natspipe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pipeline/natspipe"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// C5: misuse panics at the call that is wrong.
func TestC5MisusePanics(t *testing.T) {
	var noServer struct{ jetstream.JetStream } // never called
	var noContext context.Context
	ctx := t.Context()
	source := func(name string, opts ...natspipe.Option) func() {
		return func() { _, _ = natspipe.NewSource[int](ctx, noServer, "S", name, opts...) }
	}
	sink := func(opts ...natspipe.Option) func() {
		return func() { _, _ = natspipe.NewSink[int](ctx, noServer, "s", opts...) }
	}
	testkit.Panics(t, map[string]func(){
		"natspipe: NewSource: context must not be nil":                                      func() { _, _ = natspipe.NewSource[int](noContext, noServer, "S", "a") },
		"natspipe: NewSource: JetStream must not be nil":                                    func() { _, _ = natspipe.NewSource[int](ctx, nil, "S", "a") },
		"natspipe: NewSource: stream must not be empty":                                     func() { _, _ = natspipe.NewSource[int](ctx, noServer, "", "a") },
		`natspipe: NewSource: name must be 1 to 64 letters, digits, '-' or '_', got ""`:     source(""),
		`natspipe: NewSource: name must be 1 to 64 letters, digits, '-' or '_', got "a.b"`:  source("a.b"),
		"natspipe: NewSource: WithKey is for a Sink":                                        source("a", natspipe.WithKey(1, func(int) string { return "" })),
		"natspipe: NewSource: WithCodec must be a natspipe.Codec[int], got natspipe_test.w": source("a", natspipe.WithCodec[string](w{})),
		"natspipe: NewSink: context must not be nil":                                        func() { _, _ = natspipe.NewSink[int](noContext, noServer, "s") },
		"natspipe: NewSink: JetStream must not be nil":                                      func() { _, _ = natspipe.NewSink[int](ctx, nil, "s") },
		"natspipe: NewSink: subject must not be empty":                                      func() { _, _ = natspipe.NewSink[int](ctx, noServer, "") },
		"natspipe: NewSink: WithAckWait is for a Source":                                    sink(natspipe.WithAckWait(time.Second)),
		"natspipe: NewSink: WithKey must be a func(int) string, got func(string) string":    sink(natspipe.WithKey(1, strings.ToUpper)),
		"natspipe: WithWindow: messages must be 1 to 65536, got 0":                          func() { natspipe.WithWindow(0) },
		"natspipe: WithCodec: codec must not be nil":                                        func() { natspipe.WithCodec[int](nil) },
		"natspipe: WithErrorHandler: function must not be nil":                              func() { natspipe.WithErrorHandler(nil) },
		`natspipe: WithPartitions: subject must not be empty or have wildcards, got "a.*"`:  func() { natspipe.WithPartitions("a.*", 1) },
		"natspipe: WithPartitions: partitions must be 1 to 1024, got 0":                     func() { natspipe.WithPartitions("a", 0) },
		"natspipe: WithKey: partitions must be 1 to 1024, got 1025":                         func() { natspipe.WithKey(1025, func(int) string { return "" }) },
		"natspipe: WithKey: function must not be nil":                                       func() { natspipe.WithKey[int](1, nil) },
		"natspipe: WithAckWait: time must be at least 100ms, got 1ms":                       func() { natspipe.WithAckWait(time.Millisecond) },
		"natspipe: WithMaxDeliver: deliveries must be at least 1, got 0":                    func() { natspipe.WithMaxDeliver(0) },
		"natspipe: WithBackoff: there must be at least one delay, got none":                 func() { natspipe.WithBackoff() },
		"natspipe: WithBackoff: delays must not be negative, got -1s":                       func() { natspipe.WithBackoff(-time.Second) },
		"natspipe: Map: function must not be nil":                                           func() { natspipe.Map[int, int](nil) },
		"natspipe: Filter: function must not be nil":                                        func() { natspipe.Filter[int](nil) },
		"natspipe: FlatMap: function must not be nil":                                       func() { natspipe.FlatMap[int, int](nil) },
		"natspipe: ByKey: function must not be nil": func() {
			natspipe.ByKey[int](1, nil, natspipe.Ack[int]())
		},
	})
}

// w is a codec of another type.
type w struct{ natspipe.Codec[string] }

func TestC2NothingIsMadeUnderAnEndedContext(t *testing.T) {
	var noServer struct{ jetstream.JetStream }
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("no time")
	cancel(cause)
	if _, err := natspipe.NewSource[int](ctx, noServer, "S", "a", nil); err != cause {
		t.Errorf("NewSource: %v", err)
	}
	if _, err := natspipe.NewSink[int](ctx, noServer, "s", nil); err != cause {
		t.Errorf("NewSink: %v", err)
	}
}

// Values that do not come from a Source fail like those of an ordinary pipeline.
func TestValuesWithoutASource(t *testing.T) {
	boom := errors.New("boom")
	fail := func(_ context.Context, v int) (int, error) {
		if v == 2 {
			return 0, boom
		}
		return v, nil
	}
	three := pipeline.Values(natspipe.NewMsg("1", 1), natspipe.NewMsg("2", 2), natspipe.NewMsg("3", 3))
	_, err := natspipe.Map(fail).Collect(t.Context(), three)
	if e, ok := errors.AsType[*pipeline.StageError](err); !ok || e.Stage != "map" || e.Index != 1 || !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	three = pipeline.Values(natspipe.NewMsg("1", 1), natspipe.NewMsg("2", 2), natspipe.NewMsg("3", 3))
	skip := pipeline.WithErrorHandler(func(error) pipeline.ErrorAction { return pipeline.Skip })
	all, err := natspipe.Map(fail, skip).Collect(t.Context(), three)
	if len(all) != 2 || err != nil {
		t.Errorf("got %v, %v", all, err)
	}
}

// N3: ids tell apart what is different, and are the same for the same.
func TestN3IDs(t *testing.T) {
	twice := func() pipeline.Stage[natspipe.Msg[int], natspipe.Msg[int]] {
		return natspipe.FlatMap(func(_ context.Context, v int, emit func(int) error) error {
			_, _ = emit(v), emit(v)
			return nil
		})
	}
	values := func() pipeline.Source[natspipe.Msg[int]] {
		return pipeline.Values(natspipe.NewMsg("a", 1), natspipe.NewMsg("b", 2), natspipe.NewMsg("c", 3))
	}
	ids := func(all []natspipe.Msg[int], err error) (ids string) {
		if err != nil {
			t.Error(err)
		}
		for _, m := range all {
			ids += m.ID() + " "
		}
		return ids
	}
	if got := ids(pipeline.Then(twice(), twice()).Collect(t.Context(), pipeline.Values(natspipe.NewMsg("a", 1)))); got != "a/0/0 a/0/1 a/1/0 a/1/1 " {
		t.Error(got)
	}
	seen := map[string]int{}
	for range 2 {
		for _, size := range []int{1, 2, 3} {
			batches, err := natspipe.Batch[int](size, 0).Collect(t.Context(), values())
			if err != nil {
				t.Error(err)
			}
			for _, b := range batches {
				seen[b.ID()]++
			}
		}
	}
	// a, b, c, ab, abc are five different batches; c alone is there for two sizes.
	if len(seen) != 5 {
		t.Errorf("%d different ids: %v", len(seen), seen)
	}
}

// N2: an envelope that goes two ways is found out, since its message would be
// acknowledged too early.
func TestN2AnEnvelopeEndsOnce(t *testing.T) {
	both := pipeline.Merge(natspipe.Ack[int](), natspipe.Ack[int]())
	_, err := both.Collect(t.Context(), pipeline.Values(natspipe.NewMsg("a", 1)))
	if err == nil || !strings.Contains(err.Error(), "an envelope has ended twice") {
		t.Errorf("got %v", err)
	}
	_, err = natspipe.Ack[int]().Collect(t.Context(), pipeline.Values(natspipe.Msg[int]{Value: 1}))
	if err == nil || !strings.Contains(err.Error(), "must be made by a Source or by NewMsg") {
		t.Errorf("got %v", err)
	}
}
