package oteltandem

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

const scope = "github.com/tandemgo/tandem/oteltandem"

// Stats are the figures that can be exported: those that Stats of a *pool.Pool,
// *pipeline.Observer, *inflight.Limiter, *ratelimit.Limiter, *ratelimit.Keyed or
// *broadcast.Broadcast returns.
type Stats interface {
	pool.Stats | pipeline.Stats | inflight.Stats | ratelimit.Stats | ratelimit.KeyedStats | broadcast.Stats
}

// A Producer makes metrics of the Stats that [RecordStats] has added to it. It is a Producer of
// package sdk/metric: give it to a reader. The zero value is ready. A Producer must not be
// copied, and is safe for concurrent use.
type Producer struct {
	// ExplicitBuckets makes histograms with a bucket for each power of 4, from 1 µs to 5 hours,
	// for a backend that has no exponential histograms. It must not be changed once metrics are
	// collected.
	ExplicitBuckets bool

	mu      sync.Mutex
	sources []*source
}

// A source is one thing that has Stats.
type source struct {
	name    string
	kind    string // of Stats
	produce func(to *collection)
	start   time.Time

	mu   sync.Mutex
	most map[string]float64 // the highest value of counters that Stats estimates during a run
}

// A RecordOption changes the metrics of [RecordStats]. A nil RecordOption is ignored.
type RecordOption func(*recordOptions)

type recordOptions struct {
	each bool
}

// PerSubscription exports the backlog, deliveries and misses of each name of subscriptions,
// added up over those of the same name that are open. Use it if there are few names:
// package sse names subscriptions by the address of the viewer unless its Handler has a Name.
func PerSubscription() RecordOption { return func(o *recordOptions) { o.each = true } }

// RecordStats makes p export the Stats of x, with the name as an attribute, until stop is called.
// Stats is called once for each collection. Call RecordStats when x is made: the time of the call
// is the start time of its counters. It replaces an x with the same name and type of Stats.
// RecordStats panics if p or x is nil, and if name is empty.
func RecordStats[S Stats](p *Producer, name string, x interface{ Stats() S }, opts ...RecordOption) (stop func()) {
	if p == nil {
		panic("oteltandem: RecordStats: producer must not be nil")
	}
	if name == "" {
		panic("oteltandem: RecordStats: name must not be empty")
	}
	if v := reflect.ValueOf(x); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		panic(fmt.Sprintf("oteltandem: RecordStats: %s must not be nil", name))
	}
	var o recordOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	s := &source{name: name, kind: fmt.Sprintf("%T", *new(S)), start: time.Now(), most: map[string]float64{}}
	s.produce = func(to *collection) { produce(to.of(s, name), x.Stats(), o) }
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources = slices.DeleteFunc(p.sources, func(old *source) bool { return old.name == name && old.kind == s.kind })
	p.sources = append(p.sources, s)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sources = slices.DeleteFunc(p.sources, func(other *source) bool { return s == other })
	}
}

// Produce returns the metrics of all that has been added. The reader calls it.
func (p *Producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	p.mu.Lock()
	sources := slices.Clone(p.sources)
	p.mu.Unlock()
	if len(sources) == 0 {
		return nil, nil
	}
	all := collection{now: time.Now(), explicit: p.ExplicitBuckets, index: map[string]int{}}
	for _, s := range sources {
		s.mu.Lock()
		s.produce(&all)
		s.mu.Unlock()
	}
	return []metricdata.ScopeMetrics{{Scope: instrumentation.Scope{Name: scope}, Metrics: all.metrics}}, nil
}

// A collection gathers data points by the names of metrics.
type collection struct {
	now      time.Time
	explicit bool
	metrics  []metricdata.Metrics
	index    map[string]int // of metrics, by name
}

// update changes the data of a metric, which is made if it is new.
func update[D metricdata.Aggregation](c *collection, name, unit, help string, change func(*D)) {
	i, ok := c.index[name]
	if !ok {
		i = len(c.metrics)
		c.index[name] = i
		c.metrics = append(c.metrics, metricdata.Metrics{Name: name, Unit: unit, Description: help, Data: *new(D)})
	}
	data := c.metrics[i].Data.(D)
	change(&data)
	c.metrics[i].Data = data
}

// A target takes the data points of one source.
type target struct {
	c    *collection
	s    *source
	name attribute.KeyValue
}

func (c *collection) of(s *source, name string) target {
	return target{c, s, attribute.String("tandem.name", valid(name))}
}

func (t target) attributes(more []string) attribute.Set {
	all := []attribute.KeyValue{t.name}
	for i := 0; i < len(more); i += 2 {
		all = append(all, attribute.String("tandem."+more[i], more[i+1]))
	}
	return attribute.NewSet(all...)
}

// gauge adds a data point. Attributes are pairs of a key without tandem. and a value.
func (t target) gauge(name, unit, help string, v int64, attributes ...string) {
	update(t.c, name, unit, help, func(d *metricdata.Gauge[int64]) {
		d.DataPoints = append(d.DataPoints, metricdata.DataPoint[int64]{Attributes: t.attributes(attributes), Time: t.c.now, Value: v})
	})
}

func (t target) counter(name, unit, help string, v uint64, attributes ...string) {
	addCounter(t, name, unit, help, int64(v), attributes)
}

// rising is counter for a figure that may fall a little during a run: the highest value is
// exported.
func (t target) rising(name, unit, help string, v uint64, attributes ...string) {
	addCounter(t, name, unit, help, int64(t.highest(name, float64(v), attributes)), attributes)
}

func (t target) seconds(name, help string, d time.Duration, attributes ...string) {
	addCounter(t, name, "s", help, t.highest(name, d.Seconds(), attributes), attributes)
}

func (t target) highest(name string, v float64, attributes []string) float64 {
	key := fmt.Sprint(name, attributes)
	t.s.most[key] = max(t.s.most[key], v)
	return t.s.most[key]
}

func addCounter[N int64 | float64](t target, name, unit, help string, v N, attributes []string) {
	update(t.c, name, unit, help, func(d *metricdata.Sum[N]) {
		d.Temporality, d.IsMonotonic = metricdata.CumulativeTemporality, true
		d.DataPoints = append(d.DataPoints, metricdata.DataPoint[N]{Attributes: t.attributes(attributes), StartTime: t.s.start, Time: t.c.now, Value: v})
	})
}
