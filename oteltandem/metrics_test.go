package oteltandem_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/oteltandem"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// collect reads metrics as an exporter gets them: numbers by name and attributes in braces, and
// all by name.
func collect(t *testing.T, p *oteltandem.Producer) (numbers map[string]float64, all map[string]metricdata.Aggregation) {
	t.Helper()
	reader := metric.NewManualReader(metric.WithProducer(p))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer func() {
		if err := provider.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	numbers, all = map[string]float64{}, map[string]metricdata.Aggregation{}
	key := func(name string, set attribute.Set) string {
		var labels []string
		for _, kv := range set.ToSlice() {
			labels = append(labels, strings.TrimPrefix(string(kv.Key), "tandem.")+"="+kv.Value.AsString())
		}
		return name + "{" + strings.Join(labels, ",") + "}"
	}
	for _, sc := range got.ScopeMetrics {
		for _, m := range sc.Metrics {
			name := strings.TrimPrefix(m.Name, "tandem.")
			if all[name] != nil {
				t.Errorf("%s is there twice", m.Name)
			}
			if m.Description == "" || m.Unit == "" || !strings.HasPrefix(m.Name, "tandem.") {
				t.Errorf("%+v", m)
			}
			all[name] = m.Data
			switch d := m.Data.(type) {
			case metricdata.Gauge[int64]:
				for _, p := range d.DataPoints {
					if _, ok := numbers[key(name, p.Attributes)]; ok {
						t.Errorf("%s has two points", key(name, p.Attributes))
					}
					numbers[key(name, p.Attributes)] = float64(p.Value)
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					numbers[key(name, p.Attributes)] = float64(p.Value)
				}
			case metricdata.Sum[float64]:
				for _, p := range d.DataPoints {
					numbers[key(name, p.Attributes)] = p.Value
				}
			}
		}
	}
	return numbers, all
}

// What the SDK exports are the books.
func TestMetricsAreTheBooks(t *testing.T) {
	var producer oteltandem.Producer
	odd := errors.New("odd")
	p := pool.New(2, func(_ context.Context, n int) (int, error) {
		if n%2 == 1 {
			return 0, odd
		}
		return n, nil
	}, pool.WithQueue(7))
	for n := range 10 {
		_, _ = p.Do(t.Context(), n) // odd
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	var o pipeline.Observer
	half := func() pipeline.Stage[int, int] {
		return pipeline.Filter(func(_ context.Context, n int) (bool, error) { return n%2 == 0, nil })
	}
	if _, err := pipeline.Then(half(), half()).Observe(&o).Collect(t.Context(), pipeline.Values(1, 2, 3, 4, 5)); err != nil {
		t.Fatal(err)
	}
	inFlight := inflight.New(3)
	for range 3 {
		if p, ok := inFlight.TryAcquire(1); ok && inFlight.Stats().InFlight == 3 {
			p.Release(inflight.Dropped)
		}
	}
	l := ratelimit.New(ratelimit.Every(time.Hour), 3)
	l.AllowN(2)
	k := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 1)
	for _, key := range []string{"a", "a", "a", "b"} {
		k.Allow(key)
	}
	b := broadcast.New[int](broadcast.WithCapacity(4))
	for _, name := range []string{"same", "same", "other"} {
		s, err := b.Subscribe(broadcast.WithName(name))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	for n := range 6 {
		if err := b.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if numbers, _ := collect(t, &producer); len(numbers) != 0 {
		t.Errorf("before RecordStats: %v", numbers)
	}
	oteltandem.RecordStats(&producer, "jobs", p, nil)
	oteltandem.RecordStats(&producer, "chain", &o)
	oteltandem.RecordStats(&producer, "calls", inFlight)
	oteltandem.RecordStats(&producer, "one", l)
	oteltandem.RecordStats(&producer, "many", k)
	oteltandem.RecordStats(&producer, "news", b, oteltandem.PerSubscription())
	replaced := oteltandem.RecordStats(&producer, "quiet", broadcast.New[int](broadcast.WithCapacity(1)))
	stop := oteltandem.RecordStats(&producer, "quiet", broadcast.New[int](broadcast.WithCapacity(2)))
	replaced()
	got, all := collect(t, &producer)
	subs := b.Stats().Subscriptions
	for name, want := range map[string]float64{
		"pool.worker.count{name=jobs}":                                0,
		"pool.worker.limit{name=jobs}":                                2,
		"pool.task.count{name=jobs,state=queued}":                     0,
		"pool.queue.capacity{name=jobs}":                              7,
		"pool.submitter.blocked{name=jobs}":                           0,
		"pool.task.submitted{name=jobs}":                              10,
		"pool.task.ended{name=jobs,outcome=completed}":                5,
		"pool.task.ended{name=jobs,outcome=failed}":                   5,
		"pool.task.ended{name=jobs,outcome=cancelled}":                0,
		"pipeline.item.in{name=chain,stage=filter}":                   5,
		"pipeline.item.out{name=chain,stage=filter}":                  2,
		"pipeline.item.lost{name=chain,outcome=skipped,stage=filter}": 3,
		"pipeline.item.in{name=chain,stage=filter#2}":                 2,
		"pipeline.item.waiting{name=chain,stage=filter}":              0,
		"pipeline.worker.count{name=chain,stage=filter}":              1,
		"pipeline.time{name=chain,stage=filter#2,state=waiting}":      o.Stats()[1].Waiting.Seconds(),
		"inflight.limit{name=calls}":                                  3,
		"inflight.weight{name=calls}":                                 2,
		"inflight.waiter.count{name=calls}":                           0,
		"inflight.call.waited{name=calls}":                            0,
		"inflight.call.dropped{name=calls}":                           1,
		"ratelimit.permit.owed{name=one}":                             2,
		"ratelimit.waiter.count{name=one}":                            0,
		"ratelimit.call.waited{name=many}":                            0,
		"ratelimit.key.count{name=many}":                              2,
		"ratelimit.call.decided{name=many,outcome=granted}":           2,
		"ratelimit.call.decided{name=many,outcome=denied}":            2,
		"ratelimit.key.dropped{name=many,reason=evicted}":             0,
		"broadcast.value.sent{name=news}":                             6,
		"broadcast.capacity{name=news}":                               4,
		"broadcast.subscription.count{name=news}":                     3,
		"broadcast.capacity{name=quiet}":                              2,
		"broadcast.subscription.count{name=quiet}":                    0,
		"broadcast.backlog.max{name=news}":                            float64(subs[0].Backlog),
		"broadcast.value.delivered{name=news,subscription=same}":      0,
		"broadcast.value.missed{name=news,subscription=same}":         float64(subs[0].Missed + subs[1].Missed),
		"broadcast.backlog{name=news,subscription=other}":             float64(subs[2].Backlog),
	} {
		if v, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	sameHistogram(t, all["pool.task.duration"], p.Stats().RunTime)
	sameHistogram(t, all["pool.task.wait_time"], p.Stats().QueueWait)
	producer.ExplicitBuckets = true
	_, all = collect(t, &producer)
	sameHistogram(t, all["pool.task.duration"], p.Stats().RunTime)
	stop()
	stop()
	if got, _ := collect(t, &producer); !math.IsNaN(missing(got, "broadcast.capacity{name=quiet}")) || math.IsNaN(missing(got, "broadcast.capacity{name=news}")) {
		t.Errorf("after stop: %v", got)
	}
}

func missing(all map[string]float64, name string) float64 {
	if v, ok := all[name]; ok {
		return v
	}
	return math.NaN()
}

// sameHistogram compares a metric with a histogram.
func sameHistogram(t *testing.T, got metricdata.Aggregation, want pool.Histogram) {
	t.Helper()
	switch d := got.(type) {
	case metricdata.ExponentialHistogram[float64]:
		p := d.DataPoints[0]
		if p.Count != want.Count() || p.Sum != want.Sum().Seconds() || p.Count == 0 {
			t.Errorf("%d times, %v s, want %v", p.Count, p.Sum, want)
		}
		base, below := math.Pow(2, math.Pow(2, -float64(p.Scale))), uint64(0)
		for i, n := range p.PositiveBucket.Counts {
			below += n
			bound := math.Pow(base, float64(int(p.PositiveBucket.Offset)+i+1))
			// The bounds of both lie within a bucket of each other.
			least, most := uint64(0), uint64(0)
			for d, n := range want.All() {
				if d.Seconds() <= bound/1.25 {
					least += n
				}
				if d.Seconds() <= bound*1.25 {
					most += n
				}
			}
			if below < least || below > most {
				t.Errorf("%d times are below %v s, want %d to %d", below, bound, least, most)
			}
		}
		if below != want.Count() {
			t.Errorf("%d times in buckets, want %v", below, want)
		}
	case metricdata.Histogram[float64]:
		p := d.DataPoints[0]
		if p.Count != want.Count() || p.Sum != want.Sum().Seconds() {
			t.Errorf("%d times, %v s, want %v", p.Count, p.Sum, want)
		}
		below := uint64(0)
		for i, n := range p.BucketCounts {
			below += n
			exact := uint64(0)
			for d, n := range want.All() {
				if i == len(p.Bounds) || d.Seconds() <= p.Bounds[i] {
					exact += n
				}
			}
			if below != exact {
				t.Errorf("%d times in the first %d buckets, want %d", below, i+1, exact)
			}
		}
	default:
		t.Errorf("%T", got)
	}
}

// A falling is a pipeline whose figures go down a little, as estimates during a run may.
type falling struct{ looks uint64 }

func (f *falling) Stats() pipeline.Stats {
	f.looks++
	return pipeline.Stats{{Name: "s", In: 10 - f.looks, Depth: int(10 - f.looks), Busy: time.Second * time.Duration(10-f.looks)}}
}

// A counter never falls: it would be taken for a restart.
func TestCountersOfARunDoNotFall(t *testing.T) {
	var producer oteltandem.Producer
	oteltandem.RecordStats(&producer, "p", &falling{})
	collect(t, &producer)
	got, _ := collect(t, &producer)
	for name, want := range map[string]float64{
		"pipeline.item.in{name=p,stage=s}":         9,
		"pipeline.item.waiting{name=p,stage=s}":    8,
		"pipeline.time{name=p,stage=s,state=busy}": 9,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// Stages and subscriptions may have any names: an export does not fail because of one, and no two
// stages are taken for one.
func TestOddNames(t *testing.T) {
	var producer oteltandem.Producer
	oteltandem.RecordStats(&producer, "p\xff", stages{{Name: "s", In: 1}, {Name: "s", In: 2}, {Name: "s#2", In: 3}, {Name: "\xff", In: 4}, {Name: "\xfe", In: 5}})
	b := broadcast.New[int]()
	defer b.Close()
	for _, name := range []string{"\xff", "\xfe"} {
		if _, err := b.Subscribe(broadcast.WithName(name)); err != nil {
			t.Fatal(err)
		}
	}
	_ = b.Send(t.Context(), 1)
	oteltandem.RecordStats(&producer, "b", b, oteltandem.PerSubscription())
	got, _ := collect(t, &producer)
	for name, want := range map[string]float64{
		"pipeline.item.in{name=p\ufffd,stage=s}":        1,
		"pipeline.item.in{name=p\ufffd,stage=s#2}":      2,
		"pipeline.item.in{name=p\ufffd,stage=s#2#2}":    3,
		"pipeline.item.in{name=p\ufffd,stage=\ufffd}":   4,
		"pipeline.item.in{name=p\ufffd,stage=\ufffd#2}": 5,
		"broadcast.backlog{name=b,subscription=\ufffd}": 2,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

type stages pipeline.Stats

func (s stages) Stats() pipeline.Stats { return pipeline.Stats(s) }

func TestMisusePanics(t *testing.T) {
	var p oteltandem.Producer
	fn := func(_ context.Context, n int) (int, error) { return n, nil }
	for want, call := range map[string]func(){
		"oteltandem: RecordStats: producer must not be nil":        func() { oteltandem.RecordStats(nil, "x", &falling{}) },
		"oteltandem: RecordStats: name must not be empty":          func() { oteltandem.RecordStats(&p, "", &falling{}) },
		"oteltandem: RecordStats: x must not be nil":               func() { oteltandem.RecordStats(&p, "x", (*falling)(nil)) },
		"oteltandem: RecordStats: y must not be nil":               func() { oteltandem.RecordStats[pool.Stats](&p, "y", nil) },
		"oteltandem: Trace: name must not be empty":                func() { oteltandem.Trace("", fn) },
		"oteltandem: Trace: function must not be nil":              func() { oteltandem.Trace[int, int]("x", nil) },
		"oteltandem: WithTracerProvider: provider must not be nil": func() { oteltandem.WithTracerProvider(nil) },
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); got != want {
					t.Errorf("panicked with %q", got)
				}
			}()
			call()
		})
	}
}
