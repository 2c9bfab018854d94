package oteltandem

import (
	"fmt"
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// produce makes data points of figures.
func produce[S Stats](t target, figures S, o recordOptions) {
	switch s := any(figures).(type) {
	case pool.Stats:
		t.gauge("tandem.pool.worker.count", "{worker}", "Workers alive, idle or not.", int64(s.Workers))
		t.gauge("tandem.pool.worker.limit", "{worker}", "Workers allowed at once.", int64(s.Limit))
		for state, n := range map[string]int{"queued": s.Queued, "running": s.Running, "waiting": s.Waiting} {
			t.gauge("tandem.pool.task.count", "{task}", "Tasks that have not ended.", int64(n), "state", state)
		}
		t.gauge("tandem.pool.queue.capacity", "{task}", "Tasks that may be queued while all workers are busy.", int64(s.Room))
		t.gauge("tandem.pool.submitter.blocked", "{call}", "Calls that wait for room in the queue.", int64(s.Blocked))
		t.counter("tandem.pool.task.submitted", "{task}", "Tasks accepted.", s.Submitted)
		for outcome, n := range map[string]uint64{"completed": s.Completed, "failed": s.Failed, "cancelled": s.Cancelled} {
			t.counter("tandem.pool.task.ended", "{task}", "Tasks that have ended.", n, "outcome", outcome)
		}
		t.histogram("tandem.pool.task.wait_time", "Time from being accepted to the start.", s.QueueWait)
		t.histogram("tandem.pool.task.duration", "Time from the start to the return.", s.RunTime)
	case pipeline.Stats:
		names := map[string]bool{}
		for _, st := range s {
			name := valid(st.Name)
			stage := name
			for n := 2; names[stage]; n++ {
				stage = fmt.Sprintf("%s#%d", name, n)
			}
			names[stage] = true
			t.rising("tandem.pipeline.item.in", "{item}", "Items that the stage has begun to work on.", st.In, "stage", stage)
			t.rising("tandem.pipeline.item.out", "{item}", "Values sent.", st.Out, "stage", stage)
			for outcome, n := range map[string]uint64{"skipped": st.Skipped, "failed": st.Failed, "discarded": st.Discarded} {
				t.rising("tandem.pipeline.item.lost", "{item}", "Items skipped, failed or discarded.", n, "stage", stage, "outcome", outcome)
			}
			t.gauge("tandem.pipeline.item.waiting", "{item}", "Items on their way to the stage.", int64(st.Depth), "stage", stage)
			t.gauge("tandem.pipeline.worker.count", "{worker}", "The most goroutines that the stage has had at once.", int64(st.Workers), "stage", stage)
			for state, d := range map[string]time.Duration{"busy": st.Busy, "blocked": st.Blocked, "waiting": st.Waiting} {
				t.seconds("tandem.pipeline.time", "Time that the goroutines of the stage have been busy, blocked by the next stage, or waiting for input.", d, "stage", stage, "state", state)
			}
		}
	case inflight.Stats:
		t.gauge("tandem.inflight.limit", "{weight}", "Weight that may be in flight.", int64(s.Limit))
		t.gauge("tandem.inflight.weight", "{weight}", "Weight that is in flight.", int64(s.InFlight))
		t.gauge("tandem.inflight.waiter.count", "{call}", "Callers that wait.", int64(s.Waiting))
		t.counter("tandem.inflight.call.waited", "{call}", "Calls that have had to wait.", s.Waits)
		t.counter("tandem.inflight.call.dropped", "{call}", "Permits released as Dropped.", s.Dropped)
	case ratelimit.Stats:
		t.waiters(s.Waiting, s.Waits)
		t.gauge("tandem.ratelimit.permit.owed", "{permit}", "Permits that have not come back yet.", int64(s.Owed))
	case ratelimit.KeyedStats:
		t.waiters(s.Waiting, s.Waits)
		t.gauge("tandem.ratelimit.key.count", "{key}", "Keys that are kept.", int64(s.Keys))
		t.counter("tandem.ratelimit.call.decided", "{call}", "Calls granted and denied.", s.Granted, "outcome", "granted")
		t.counter("tandem.ratelimit.call.decided", "{call}", "Calls granted and denied.", s.Denied, "outcome", "denied")
		t.counter("tandem.ratelimit.key.dropped", "{key}", "Keys evicted since they owed nothing, or forgotten at the maximum.", s.Evicted, "reason", "evicted")
		t.counter("tandem.ratelimit.key.dropped", "{key}", "Keys evicted since they owed nothing, or forgotten at the maximum.", s.Forgotten, "reason", "forgotten")
		t.counter("tandem.ratelimit.call.shared", "{call}", "Calls for keys that had to share a limiter.", s.Shared)
	case broadcast.Stats:
		t.counter("tandem.broadcast.value.sent", "{value}", "Values sent.", s.Sent)
		t.counter("tandem.broadcast.value.lost", "{value}", "Values that ReportGap said are missing.", s.Lost)
		t.gauge("tandem.broadcast.capacity", "{value}", "Values retained at most for all.", int64(s.Capacity))
		t.gauge("tandem.broadcast.subscription.count", "{subscription}", "Subscriptions that are open.", int64(len(s.Subscriptions)))
		most := uint64(0)
		names := map[string]broadcast.SubscriptionStats{}
		for _, sub := range s.Subscriptions {
			most = max(most, sub.Backlog)
			name := valid(sub.Name)
			all := names[name]
			all.Backlog += sub.Backlog
			all.Delivered += sub.Delivered
			all.Missed += sub.Missed
			names[name] = all
		}
		t.gauge("tandem.broadcast.backlog.max", "{value}", "Backlog of the slowest subscription.", int64(most))
		if !o.each {
			return
		}
		for name, sub := range names {
			t.gauge("tandem.broadcast.backlog", "{value}", "Values sent and not read yet.", int64(sub.Backlog), "subscription", name)
			t.counter("tandem.broadcast.value.delivered", "{value}", "Values read.", sub.Delivered, "subscription", name)
			t.counter("tandem.broadcast.value.missed", "{value}", "Values missed.", sub.Missed, "subscription", name)
		}
	}
}

// valid returns a text as UTF-8: another one, perhaps from a client, would make the whole export
// by OTLP fail.
func valid(text string) string { return strings.ToValidUTF8(text, "\ufffd") }

func (t target) waiters(now int, ever uint64) {
	t.gauge("tandem.ratelimit.waiter.count", "{call}", "Callers that wait.", int64(now))
	t.counter("tandem.ratelimit.call.waited", "{call}", "Calls that have had to wait.", ever)
}

// scale is that of exponential histograms: a bucket is 2^(1/4) times as wide as the one before.
const scale = 2

func (t target) histogram(name, help string, h pool.Histogram) {
	if t.c.explicit {
		update(t.c, name, "s", help, func(d *metricdata.Histogram[float64]) {
			d.Temporality = metricdata.CumulativeTemporality
			d.DataPoints = append(d.DataPoints, t.explicit(h))
		})
		return
	}
	update(t.c, name, "s", help, func(d *metricdata.ExponentialHistogram[float64]) {
		d.Temporality = metricdata.CumulativeTemporality
		d.DataPoints = append(d.DataPoints, t.exponential(h))
	})
}

func (t target) exponential(h pool.Histogram) metricdata.ExponentialHistogramDataPoint[float64] {
	p := metricdata.ExponentialHistogramDataPoint[float64]{
		Attributes: t.attributes(nil), StartTime: t.s.start, Time: t.c.now, Count: h.Count(), Sum: h.Sum().Seconds(), Scale: scale,
	}
	b := &p.PositiveBucket
	for d, n := range h.All() { // the shortest first
		middle := d.Seconds() * 0.9 // the bucket is up to 25 % wide
		i := int32(math.Ceil(math.Log2(middle)*(1<<scale))) - 1
		if len(b.Counts) == 0 {
			b.Offset = i
		}
		for int(i-b.Offset) >= len(b.Counts) {
			b.Counts = append(b.Counts, 0)
		}
		b.Counts[i-b.Offset] += n
	}
	return p
}

// explicit has bounds that are among those of the pool, so counts are exact.
func (t target) explicit(h pool.Histogram) metricdata.HistogramDataPoint[float64] {
	p := metricdata.HistogramDataPoint[float64]{
		Attributes: t.attributes(nil), StartTime: t.s.start, Time: t.c.now, Count: h.Count(), Sum: h.Sum().Seconds(),
	}
	for d := time.Duration(1 << 10); d <= 1<<44; d *= 4 {
		p.Bounds = append(p.Bounds, d.Seconds())
	}
	p.BucketCounts = make([]uint64, len(p.Bounds)+1)
	i := 0
	for d, n := range h.All() { // the shortest first
		for i < len(p.Bounds) && d.Seconds() > p.Bounds[i] {
			i++
		}
		p.BucketCounts[i] += n
	}
	return p
}
