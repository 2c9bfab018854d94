package promtandem

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// Stats are the figures that can be exported: those that Stats of a *pool.Pool,
// *pipeline.Observer, *inflight.Limiter, *ratelimit.Limiter, *ratelimit.Keyed or
// *broadcast.Broadcast returns.
type Stats interface {
	pool.Stats | pipeline.Stats | inflight.Stats | ratelimit.Stats | ratelimit.KeyedStats | broadcast.Stats
}

// An Option changes the metrics of [RecordStats]. A nil Option is ignored.
type Option func(*options)

type options struct {
	registerer prometheus.Registerer
	each       bool
}

// WithRegisterer sets where the collector is registered. The default is
// prometheus.DefaultRegisterer. WithRegisterer panics if r is nil.
func WithRegisterer(r prometheus.Registerer) Option {
	if r == nil {
		panic("promtandem: WithRegisterer: registerer must not be nil")
	}
	return func(o *options) { o.registerer = r }
}

// PerSubscription exports the backlog, deliveries and misses of each name of subscriptions,
// added up over those of the same name that are open. Use it if there are few names:
// package sse names subscriptions by the address of the viewer unless its Handler has a Name.
func PerSubscription() Option { return func(o *options) { o.each = true } }

// RecordStats exports the Stats of x, under a name that becomes a label, until stop is called.
// It returns the error of the Registerer, such as that the name is taken. It panics if name is
// empty or x is nil. Stats is called once for each scrape.
func RecordStats[S Stats](name string, x interface{ Stats() S }, opts ...Option) (stop func(), err error) {
	if name == "" {
		panic("promtandem: RecordStats: name must not be empty")
	}
	if v := reflect.ValueOf(x); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		panic(fmt.Sprintf("promtandem: RecordStats: %s must not be nil", name))
	}
	o := options{registerer: prometheus.DefaultRegisterer}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	c := &collector[S]{name: name, x: x, each: o.each, most: map[string]float64{}}
	if err := o.registerer.Register(c); err != nil {
		return nil, fmt.Errorf("promtandem: %s: %w", name, err)
	}
	return sync.OnceFunc(func() { o.registerer.Unregister(c) }), nil // not another of this name, later
}

// A collector makes metrics of the Stats of one thing.
type collector[S Stats] struct {
	name string
	x    interface{ Stats() S }
	each bool

	mu   sync.Mutex
	most map[string]float64 // the highest value of counters that Stats estimates during a run
}

// Describe sends the descriptions of all metrics that Collect may send.
func (c *collector[S]) Describe(ch chan<- *prometheus.Desc) {
	kind := kindOf[S]()
	for _, f := range families {
		if f.kind == kind {
			ch <- f.desc(c.name)
		}
	}
}

// Collect calls Stats and sends the metrics.
func (c *collector[S]) Collect(ch chan<- prometheus.Metric) {
	send := func(f *family, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(f.desc(c.name), f.typ, v, labels...)
	}
	switch s := any(c.x.Stats()).(type) {
	case pool.Stats:
		send(workers, float64(s.Workers))
		send(limit, float64(s.Limit))
		send(tasks, float64(s.Queued), "queued")
		send(tasks, float64(s.Running), "running")
		send(tasks, float64(s.Waiting), "waiting")
		send(room, float64(s.Room))
		send(blocked, float64(s.Blocked))
		send(submitted, float64(s.Submitted))
		send(ended, float64(s.Completed), "completed")
		send(ended, float64(s.Failed), "failed")
		send(ended, float64(s.Cancelled), "cancelled")
		ch <- newHistogram(queueWait.desc(c.name), s.QueueWait)
		ch <- newHistogram(runTime.desc(c.name), s.RunTime)
	case pipeline.Stats:
		c.mu.Lock()
		defer c.mu.Unlock()
		count := func(f *family, v float64, labels ...string) {
			key := fmt.Sprint(f.name, labels)
			c.most[key] = max(c.most[key], v)
			send(f, c.most[key], labels...)
		}
		names := map[string]bool{}
		for _, st := range s {
			name := valid(st.Name)
			stage := name
			for n := 2; names[stage]; n++ {
				stage = fmt.Sprintf("%s#%d", name, n)
			}
			names[stage] = true
			count(itemsIn, float64(st.In), stage)
			count(itemsOut, float64(st.Out), stage)
			count(itemsLost, float64(st.Skipped), stage, "skipped")
			count(itemsLost, float64(st.Failed), stage, "failed")
			count(itemsLost, float64(st.Discarded), stage, "discarded")
			send(itemsWaiting, float64(st.Depth), stage)
			send(stageWorkers, float64(st.Workers), stage)
			count(stageTime, st.Busy.Seconds(), stage, "busy")
			count(stageTime, st.Blocked.Seconds(), stage, "blocked")
			count(stageTime, st.Waiting.Seconds(), stage, "waiting")
		}
	case inflight.Stats:
		send(inflightLimit, float64(s.Limit))
		send(inflightWeight, float64(s.InFlight))
		send(inflightWaiters, float64(s.Waiting))
		send(inflightWaits, float64(s.Waits))
		send(inflightDropped, float64(s.Dropped))
		send(inflightLatency, s.Latency.Seconds())
	case ratelimit.Stats:
		send(limiterWaiters, float64(s.Waiting))
		send(limiterWaits, float64(s.Waits))
		send(owed, float64(s.Owed))
	case ratelimit.KeyedStats:
		send(keyedWaiters, float64(s.Waiting))
		send(keyedWaits, float64(s.Waits))
		send(keys, float64(s.Keys))
		send(calls, float64(s.Granted), "granted")
		send(calls, float64(s.Denied), "denied")
		send(dropped, float64(s.Evicted), "evicted")
		send(dropped, float64(s.Forgotten), "forgotten")
		send(shared, float64(s.Shared))
	case broadcast.Stats:
		send(sent, float64(s.Sent))
		send(lost, float64(s.Lost))
		send(capacity, float64(s.Capacity))
		send(subscriptions, float64(len(s.Subscriptions)))
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
		send(backlogMax, float64(most))
		if !c.each {
			return
		}
		for name, sub := range names {
			send(backlog, float64(sub.Backlog), name)
			send(delivered, float64(sub.Delivered), name)
			send(missed, float64(sub.Missed), name)
		}
	}
}

// valid returns a name as UTF-8: another one, perhaps from a client, would make the whole scrape
// fail.
func valid(name string) string { return strings.ToValidUTF8(name, "\ufffd") }
