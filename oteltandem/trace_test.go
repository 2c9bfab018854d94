package oteltandem_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/tandemgo/tandem/oteltandem"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
)

// tracing returns a provider, and the spans that have ended.
func tracing(t *testing.T, sampler sdk.Sampler) (*sdk.TracerProvider, *tracetest.InMemoryExporter) {
	spans := tracetest.NewInMemoryExporter()
	tp := sdk.NewTracerProvider(sdk.WithSyncer(spans), sdk.WithSampler(sampler))
	t.Cleanup(func() {
		if err := tp.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tp, spans
}

// A task has a span with a link to that of its submitter, and its context has the span; with Child
// it is a part of the submitter's trace.
func TestTasksAreLinked(t *testing.T) {
	tp, spans := tracing(t, sdk.AlwaysSample())
	var inside trace.SpanContext
	fn := func(ctx context.Context, n int) (int, error) {
		inside = trace.SpanContextFromContext(ctx)
		return 2 * n, nil
	}
	for _, child := range []bool{false, true} {
		spans.Reset()
		opts := []oteltandem.TraceOption{oteltandem.WithTracerProvider(tp), oteltandem.WithAttributes(attribute.String("kind", "double")), nil}
		if child {
			opts = append(opts, oteltandem.Child())
		}
		p := pool.New(1, oteltandem.Trace("double", fn, opts...))
		ctx, request := tp.Tracer("test").Start(t.Context(), "request")
		if v, err := p.Do(ctx, 21); v != 42 || err != nil {
			t.Error(v, err)
		}
		request.End()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		got := spans.GetSpans()
		if len(got) != 2 || got[0].Name != "double" {
			t.Fatalf("spans: %+v", got)
		}
		task, above := got[0], request.SpanContext()
		if task.SpanContext.SpanID() != inside.SpanID() {
			t.Error("the context of the task has another span")
		}
		if len(task.Attributes) != 1 || task.Status.Code != codes.Unset {
			t.Errorf("attributes %v, status %v", task.Attributes, task.Status)
		}
		if child {
			if task.Parent.SpanID() != above.SpanID() || task.SpanContext.TraceID() != above.TraceID() || len(task.Links) != 0 {
				t.Errorf("not a child of the request: %+v", task)
			}
			continue
		}
		if task.Parent.IsValid() || task.SpanContext.TraceID() == above.TraceID() {
			t.Errorf("not a trace of its own: %+v", task)
		}
		if len(task.Links) != 1 || task.Links[0].SpanContext.SpanID() != above.SpanID() {
			t.Errorf("links: %+v", task.Links)
		}
	}
	// A task that is submitted outside of any span has no link.
	spans.Reset()
	if _, err := oteltandem.Trace("alone", fn, oteltandem.WithTracerProvider(tp))(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if got := spans.GetSpans(); len(got) != 1 || len(got[0].Links) != 0 {
		t.Errorf("spans: %+v", got)
	}
}

// An error makes the status Error, an item that is skipped does not; a panic and Goexit do, and pass
// as they are.
func TestStatus(t *testing.T) {
	tp, spans := tracing(t, sdk.AlwaysSample())
	bad := errors.New("bad")
	fn := oteltandem.Trace("fn", func(_ context.Context, n int) (int, error) {
		switch n {
		case 1:
			return 0, bad
		case 2:
			return 0, pipeline.ErrSkip
		case 3:
			var none []int
			return none[n], nil
		case 4:
			runtime.Goexit()
		}
		return n, nil
	}, oteltandem.WithTracerProvider(tp))
	p := pool.New(1, fn)
	defer p.Close()
	for n, want := range []codes.Code{codes.Unset, codes.Error, codes.Unset, codes.Error, codes.Error} {
		spans.Reset()
		_, err := p.Do(t.Context(), n)
		got := spans.GetSpans()
		if len(got) != 1 || got[0].Status.Code != want {
			t.Fatalf("%d: spans %+v", n, got)
		}
		if failed := n > 0; failed != (err != nil) {
			t.Errorf("%d: %v", n, err)
		}
		switch n {
		case 1:
			if err != bad || len(got[0].Events) != 1 {
				t.Errorf("%v, events %v", err, got[0].Events)
			}
		case 3:
			if pe, ok := errors.AsType[*pool.PanicError](err); !ok || !strings.Contains(pe.Error(), "trace_test.go:") {
				t.Errorf("the place of the panic is hidden: %v", err)
			}
		case 4:
			if !errors.Is(err, pool.ErrGoexit) {
				t.Error(err)
			}
		}
	}
}

// A name or the text of an error that is not UTF-8 does not make the export of spans fail.
func TestSpansAreUTF8(t *testing.T) {
	tp, spans := tracing(t, sdk.AlwaysSample())
	bad := errors.New("no user a\xff")
	fn := oteltandem.Trace("fn\xff", func(context.Context, int) (int, error) { return 0, bad }, oteltandem.WithTracerProvider(tp))
	if _, err := fn(t.Context(), 0); err != bad {
		t.Error(err)
	}
	got := spans.GetSpans()[0]
	texts := []string{got.Name, got.Status.Description}
	for _, a := range got.Events[0].Attributes {
		texts = append(texts, string(a.Key)+" "+a.Value.AsString())
	}
	want := []string{"fn\ufffd", "no user a\ufffd", "exception.type *errors.errorString", "exception.message no user a\ufffd"}
	if !slices.Equal(texts, want) {
		t.Errorf("%q, want %q", texts, want)
	}
}

// Items of a stage are linked to the span of Run. What the sampler drops costs no span.
func TestStagesAreLinkedAndSampled(t *testing.T) {
	tp, spans := tracing(t, sdk.AlwaysSample())
	never, dropped := tracing(t, sdk.NeverSample())
	id := func(_ context.Context, n int) (int, error) { return n, nil }
	s := pipeline.Then(pipeline.Map(oteltandem.Trace("seen", id, oteltandem.WithTracerProvider(tp)), pipeline.WithWorkers(2)),
		pipeline.Map(oteltandem.Trace("unseen", id, oteltandem.WithTracerProvider(never))))
	ctx, run := tp.Tracer("test").Start(t.Context(), "run")
	if _, err := s.Collect(ctx, pipeline.Values(1, 2, 3)); err != nil {
		t.Error(err)
	}
	got := spans.GetSpans()
	if len(got) != 3 || len(dropped.GetSpans()) != 0 {
		t.Fatalf("%d spans, and %d of those that are not sampled", len(got), len(dropped.GetSpans()))
	}
	for _, s := range got {
		if len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != run.SpanContext().SpanID() {
			t.Errorf("links: %+v", s.Links)
		}
	}
	run.End()
}
