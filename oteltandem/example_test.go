package oteltandem_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/oteltandem"
	"github.com/tandemgo/tandem/pool"
)

// What an exporter gets. A program has a PeriodicReader with its exporter.
func ExampleRecordStats() {
	producer := &oteltandem.Producer{ExplicitBuckets: true} // the backend has no others
	reader := metric.NewManualReader(metric.WithProducer(producer))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer func() { _ = provider.Shutdown(context.Background()) }()

	mail := pool.New(4, func(_ context.Context, to string) (string, error) { return "sent to " + to, nil })
	defer mail.Close()
	stop := oteltandem.RecordStats(producer, "mail", mail)
	defer stop()
	if _, err := mail.Do(context.Background(), "ann"); err != nil {
		fmt.Println(err)
	}

	var got metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &got); err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range got.ScopeMetrics[0].Metrics {
		if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "tandem.pool.task.submitted" {
			fmt.Println(m.Name, sum.DataPoints[0].Value)
		}
	}
	// Output: tandem.pool.task.submitted 1
}

// A broadcast with few subscriptions, whose names are known: each has data points of its own.
// The helper records whatever can be recorded.
func ExampleStats() {
	var producer oteltandem.Producer
	record(&producer, "prices", broadcast.New[float64](), oteltandem.PerSubscription())
	scopes, err := producer.Produce(context.Background()) // the reader calls it
	fmt.Println(len(scopes), err)
	// Output: 1 <nil>
}

func record[S oteltandem.Stats](p *oteltandem.Producer, name string, x interface{ Stats() S }, opts ...oteltandem.RecordOption) {
	oteltandem.RecordStats(p, name, x, opts...)
}

// Each task has a span. Since Do waits for it, it is a child of the caller's.
func ExampleTrace() {
	spans := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	defer func() { _ = provider.Shutdown(context.Background()) }()

	send := func(_ context.Context, to string) (string, error) { return "sent to " + to, nil }
	mail := pool.New(4, oteltandem.Trace("mail", send,
		oteltandem.WithTracerProvider(provider),
		oteltandem.WithAttributes(attribute.String("protocol", "smtp")),
		oteltandem.Child(),
	))
	defer mail.Close()
	ctx, request := provider.Tracer("example").Start(context.Background(), "request")
	fmt.Println(mail.Do(ctx, "ann"))
	request.End()
	for _, s := range spans.GetSpans() {
		fmt.Println(s.Name, s.Parent.IsValid())
	}
	// Output:
	// sent to ann <nil>
	// mail true
	// request false
}
