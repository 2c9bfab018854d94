package oteltandem

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tandemgo/tandem/pipeline"
)

// A TraceOption changes the spans of [Trace]. A nil TraceOption is ignored.
type TraceOption func(*traceOptions)

type traceOptions struct {
	provider   trace.TracerProvider
	child      bool
	attributes []attribute.KeyValue
}

// WithTracerProvider sets where spans are made. The default is that of otel.GetTracerProvider.
// WithTracerProvider panics if p is nil.
func WithTracerProvider(p trace.TracerProvider) TraceOption {
	if p == nil {
		panic("oteltandem: WithTracerProvider: provider must not be nil")
	}
	return func(o *traceOptions) { o.provider = p }
}

// WithAttributes sets attributes of all spans.
func WithAttributes(attributes ...attribute.KeyValue) TraceOption {
	return func(o *traceOptions) { o.attributes = append(o.attributes, attributes...) }
}

// Child makes each span a child of the submitter's, as is right where the submitter waits for the
// result, such as with Do and fan.Map. The default is a trace of its own with a link to it.
func Child() TraceOption { return func(o *traceOptions) { o.child = true } }

// Trace returns fn with a span around each call, for pool.New, pipeline.Map, fan.Map and others
// that take such a function. The span has a link to the span in the context of the call: that of
// Submit, Go or Do for a task, that of Run for an item of a pipeline. The context given to fn has the
// new span. An error of fn is recorded and makes the status of the span Error, except
// pipeline.ErrSkip; a panic and runtime.Goexit make it Error, too, and pass through as they are.
// Trace panics if fn is nil or name is empty.
func Trace[In, Out any](name string, fn func(context.Context, In) (Out, error), opts ...TraceOption) func(context.Context, In) (Out, error) {
	if name == "" {
		panic("oteltandem: Trace: name must not be empty")
	}
	if fn == nil {
		panic("oteltandem: Trace: function must not be nil")
	}
	o := traceOptions{provider: otel.GetTracerProvider()}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	tracer, name := o.provider.Tracer(scope), valid(name)
	return func(ctx context.Context, in In) (Out, error) {
		start := []trace.SpanStartOption{trace.WithAttributes(o.attributes...)}
		if submitter := trace.SpanContextFromContext(ctx); !o.child {
			start = append(start, trace.WithNewRoot())
			if submitter.IsValid() {
				start = append(start, trace.WithLinks(trace.Link{SpanContext: submitter}))
			}
		}
		ctx, span := tracer.Start(ctx, name, start...)
		returned := false
		// End is not deferred itself: it would recover a panic, and hide its place.
		defer func() {
			if !returned {
				span.SetStatus(codes.Error, "panic or Goexit")
			}
			span.End()
		}()
		out, err := fn(ctx, in)
		returned = true
		if err != nil && !errors.Is(err, pipeline.ErrSkip) {
			text := valid(err.Error())
			if text == err.Error() {
				span.RecordError(err)
			} else {
				span.AddEvent("exception", trace.WithAttributes(
					attribute.String("exception.type", fmt.Sprintf("%T", err)), attribute.String("exception.message", text)))
			}
			span.SetStatus(codes.Error, text)
		}
		return out, err
	}
}
