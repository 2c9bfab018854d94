package promtandem_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/promtandem"
	"github.com/tandemgo/tandem/ratelimit"
)

// metrics returns what a registry has, by the name and the labels in braces.
func metrics(t *testing.T, from prometheus.Gatherer) map[string]*dto.Metric {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dto.Metric{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			all[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = m
		}
	}
	return all
}

func value(m *dto.Metric) float64 { return m.GetGauge().GetValue() + m.GetCounter().GetValue() }

func record[S promtandem.Stats](t testing.TB, name string, x interface{ Stats() S }, opts ...promtandem.Option) func() {
	t.Helper()
	stop, err := promtandem.RecordStats(name, x, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

// The metrics are the books.
func TestMetricsAreTheBooks(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	here := promtandem.WithRegisterer(reg)
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
	var subs []*broadcast.Subscription[int]
	for _, name := range []string{"same", "same", "other"} {
		s, err := b.Subscribe(broadcast.WithName(name))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		subs = append(subs, s)
	}
	for n := range 6 {
		if err := b.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	_, gap := subs[0].Next(t.Context()) // a gap of 2
	if _, err := subs[0].Next(t.Context()); err != nil {
		t.Fatal(gap, err)
	}
	record(t, "jobs", p, here, nil)
	record(t, "chain", &o, here)
	record(t, "calls", inFlight, here)
	record(t, "one", l, here)
	record(t, "many", k, here)
	record(t, "news", b, here, promtandem.PerSubscription())
	record(t, "quiet", broadcast.New[int](), here)

	got := metrics(t, reg)
	for name, want := range map[string]float64{
		"tandem_pool_workers{pool=jobs}":                                                0,
		"tandem_pool_workers_limit{pool=jobs}":                                          2,
		"tandem_pool_tasks{pool=jobs,state=queued}":                                     0,
		"tandem_pool_queue_capacity{pool=jobs}":                                         7,
		"tandem_pool_submitters_blocked{pool=jobs}":                                     0,
		"tandem_pool_tasks_submitted_total{pool=jobs}":                                  10,
		"tandem_pool_tasks_ended_total{outcome=completed,pool=jobs}":                    5,
		"tandem_pool_tasks_ended_total{outcome=failed,pool=jobs}":                       5,
		"tandem_pool_tasks_ended_total{outcome=cancelled,pool=jobs}":                    0,
		"tandem_pipeline_items_in_total{pipeline=chain,stage=filter}":                   5,
		"tandem_pipeline_items_out_total{pipeline=chain,stage=filter}":                  2,
		"tandem_pipeline_items_lost_total{outcome=skipped,pipeline=chain,stage=filter}": 3,
		"tandem_pipeline_items_in_total{pipeline=chain,stage=filter#2}":                 2,
		"tandem_pipeline_items_waiting{pipeline=chain,stage=filter}":                    0,
		"tandem_inflight_limit{limiter=calls}":                                          3,
		"tandem_inflight_weight{limiter=calls}":                                         2,
		"tandem_inflight_waiters{limiter=calls}":                                        0,
		"tandem_inflight_waits_total{limiter=calls}":                                    0,
		"tandem_inflight_dropped_total{limiter=calls}":                                  1,
		"tandem_inflight_latency_seconds{limiter=calls}":                                0,
		"tandem_ratelimit_permits_owed{limiter=one}":                                    2,
		"tandem_ratelimit_waiters{limiter=one}":                                         0,
		"tandem_ratelimit_keys{limiter=many}":                                           2,
		"tandem_ratelimit_calls_total{limiter=many,outcome=granted}":                    2,
		"tandem_ratelimit_calls_total{limiter=many,outcome=denied}":                     2,
		"tandem_broadcast_values_sent_total{broadcast=news}":                            6,
		"tandem_broadcast_capacity{broadcast=news}":                                     4,
		"tandem_broadcast_subscriptions{broadcast=news}":                                3,
		"tandem_broadcast_subscriptions{broadcast=quiet}":                               0,
		"tandem_broadcast_backlog_max{broadcast=news}":                                  float64(b.Stats().Subscriptions[2].Backlog),
		"tandem_broadcast_delivered_total{broadcast=news,subscription=same}":            1,
		"tandem_broadcast_missed_total{broadcast=news,subscription=same}":               float64(b.Stats().Subscriptions[0].Missed + b.Stats().Subscriptions[1].Missed),
		"tandem_broadcast_backlog{broadcast=news,subscription=other}":                   float64(b.Stats().Subscriptions[2].Backlog),
	} {
		if m := got[name]; m == nil {
			t.Errorf("%s is missing", name)
		} else if value(m) != want {
			t.Errorf("%s is %v, want %v", name, value(m), want)
		}
	}
	if t.Failed() {
		for name := range got {
			t.Log(name)
		}
	}
	if got, want := value(got["tandem_pipeline_time_seconds_total{pipeline=chain,stage=filter#2,state=waiting}"]), o.Stats()[1].Waiting.Seconds(); got != want {
		t.Errorf("the second stage waited for %v s, want %v", got, want)
	}
	sameHistogram(t, got["tandem_pool_run_seconds{pool=jobs}"], p.Stats().RunTime)
	sameHistogram(t, got["tandem_pool_queue_wait_seconds{pool=jobs}"], p.Stats().QueueWait)
}

// A time just below a bound is in the bucket that ends there.
func TestBoundsAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(1, func(_ context.Context, d time.Duration) (int, error) { time.Sleep(d); return 0, nil })
		for _, d := range []time.Duration{4 * time.Microsecond, 5 * time.Microsecond} {
			if _, err := p.Do(t.Context(), d); err != nil {
				t.Error(err)
			}
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		reg := prometheus.NewPedanticRegistry()
		record(t, "p", p, promtandem.WithRegisterer(reg))
		m := metrics(t, reg)["tandem_pool_run_seconds{pool=p}"]
		sameHistogram(t, m, p.Stats().RunTime)
		for i, want := range []uint64{0, 1, 2} { // up to 1.024 µs, 4.096 µs and 16.384 µs
			if b := m.GetHistogram().Bucket[i]; b.GetCumulativeCount() != want {
				t.Errorf("%d times up to %v s, want %d", b.GetCumulativeCount(), b.GetUpperBound(), want)
			}
		}
	})
}

// sameHistogram compares both parts of a metric with a histogram.
func sameHistogram(t *testing.T, m *dto.Metric, want pool.Histogram) {
	t.Helper()
	got := m.GetHistogram()
	if got.GetSampleCount() != want.Count() || want.Count() == 0 || got.GetSampleSum() != want.Sum().Seconds() {
		t.Errorf("%d times, %v s in all, want %v", got.GetSampleCount(), got.GetSampleSum(), want)
	}
	if len(got.Bucket) != 18 {
		t.Errorf("%d classic buckets", len(got.Bucket))
	}
	for _, b := range got.Bucket {
		below := uint64(0)
		for d, n := range want.All() {
			if d.Seconds() <= b.GetUpperBound() {
				below += n
			}
		}
		if b.GetCumulativeCount() != below {
			t.Errorf("%d times are below %v s, want %d", b.GetCumulativeCount(), b.GetUpperBound(), below)
		}
	}
	native, n := uint64(0), int64(0)
	for _, delta := range got.PositiveDelta {
		n += delta
		native += uint64(n)
	}
	if native+got.GetZeroCount() != want.Count() || got.GetSchema() != 2 {
		t.Errorf("%d times in native buckets of schema %d, want %d", native, got.GetSchema(), want.Count())
	}
}

// A falling is a pipeline whose figures go down a little, as estimates during a run may.
type falling struct{ looks uint64 }

func (f *falling) Stats() pipeline.Stats {
	f.looks++
	return pipeline.Stats{{Name: "s", In: 10 - f.looks, Out: f.looks, Depth: int(10 - f.looks), Busy: time.Second * time.Duration(10-f.looks)}}
}

// A counter never falls: Prometheus would take it for a restart.
func TestCountersOfARunDoNotFall(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	record(t, "p", &falling{}, promtandem.WithRegisterer(reg))
	metrics(t, reg)
	got := metrics(t, reg)
	for name, want := range map[string]float64{
		"tandem_pipeline_items_in_total{pipeline=p,stage=s}":                9,
		"tandem_pipeline_items_out_total{pipeline=p,stage=s}":               2,
		"tandem_pipeline_items_waiting{pipeline=p,stage=s}":                 8,
		"tandem_pipeline_time_seconds_total{pipeline=p,stage=s,state=busy}": 9,
	} {
		if v := value(got[name]); v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}

// Two of a kind have names, a name is taken once, and stop gives it back.
func TestNames(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	here := promtandem.WithRegisterer(reg)
	l := ratelimit.New(ratelimit.Every(time.Hour), 3)
	stop := record(t, "a", l, here)
	record(t, "b", l, here)
	if _, err := promtandem.RecordStats("a", l, here); err == nil || !strings.HasPrefix(err.Error(), "promtandem: a: ") {
		t.Errorf("a name that is taken: %v", err)
	}
	if n := len(metrics(t, reg)); n != 6 {
		t.Errorf("%d metrics, want 6", n)
	}
	stop()
	stop()
	if n := len(metrics(t, reg)); n != 3 {
		t.Errorf("%d metrics after stop, want 3", n)
	}
	record(t, "a", ratelimit.NewKeyed[int](ratelimit.Every(time.Hour), 3), here) // shares some names with the others
	if n := len(metrics(t, reg)); n != 3+8 {
		t.Errorf("%d metrics, want 11", n)
	}
	stopC := record(t, "c", l, here)
	stopC()
	record(t, "c", l, here)
	stopC() // is over, and leaves the other one alone
	if n := len(metrics(t, reg)); n != 3+8+3 {
		t.Errorf("%d metrics, want 14", n)
	}
	if _, err := promtandem.RecordStats("\xff", l, here); err == nil {
		t.Error("a name that is not UTF-8 is taken")
	}
}

// Stages and subscriptions may have any names: a scrape does not fail because of one, and no two
// stages are taken for one.
func TestOddNames(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	here := promtandem.WithRegisterer(reg)
	record(t, "p", stages{{Name: "s", In: 1}, {Name: "s", In: 2}, {Name: "s#2", In: 3}, {Name: "\xff", In: 4}, {Name: "\xfe", In: 5}}, here)
	b := broadcast.New[int]()
	defer b.Close()
	for _, name := range []string{"\xff", "\xfe"} {
		if _, err := b.Subscribe(broadcast.WithName(name)); err != nil {
			t.Fatal(err)
		}
	}
	_ = b.Send(t.Context(), 1)
	record(t, "b", b, here, promtandem.PerSubscription())
	got := metrics(t, reg)
	for name, want := range map[string]float64{
		"tandem_pipeline_items_in_total{pipeline=p,stage=s}":        1,
		"tandem_pipeline_items_in_total{pipeline=p,stage=s#2}":      2,
		"tandem_pipeline_items_in_total{pipeline=p,stage=s#2#2}":    3,
		"tandem_pipeline_items_in_total{pipeline=p,stage=\ufffd}":   4,
		"tandem_pipeline_items_in_total{pipeline=p,stage=\ufffd#2}": 5,
		"tandem_broadcast_backlog{broadcast=b,subscription=\ufffd}": 2,
	} {
		if v := value(got[name]); v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}

type stages pipeline.Stats

func (s stages) Stats() pipeline.Stats { return pipeline.Stats(s) }

func TestMisusePanics(t *testing.T) {
	for want, call := range map[string]func(){
		"promtandem: RecordStats: name must not be empty":        func() { _, _ = promtandem.RecordStats("", &falling{}) },
		"promtandem: RecordStats: x must not be nil":             func() { _, _ = promtandem.RecordStats("x", (*falling)(nil)) },
		"promtandem: RecordStats: y must not be nil":             func() { _, _ = promtandem.RecordStats[pool.Stats]("y", nil) },
		"promtandem: WithRegisterer: registerer must not be nil": func() { promtandem.WithRegisterer(nil) },
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

// A scrape of a pool, a pipeline of three stages and a broadcast to 100. Once a second, 200 µs are
// 0.02 % of a processor.
func BenchmarkScrape(b *testing.B) {
	reg := prometheus.NewPedanticRegistry()
	here := promtandem.WithRegisterer(reg)
	news := broadcast.New[int]()
	for range 100 {
		sub, err := news.Subscribe()
		if err != nil {
			b.Fatal(err)
		}
		defer sub.Close()
	}
	var o pipeline.Observer
	inc := pipeline.Map(func(_ context.Context, n int) (int, error) { return n + 1, nil })
	if _, err := pipeline.Then(inc, pipeline.Then(inc, inc)).Observe(&o).Collect(b.Context(), pipeline.Values(1)); err != nil {
		b.Fatal(err)
	}
	p := pool.New(2, func(_ context.Context, n int) (int, error) { return n, nil })
	defer p.Close()
	record(b, "jobs", p, here)
	record(b, "chain", &o, here)
	record(b, "news", news, here)
	for b.Loop() {
		if _, err := reg.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
