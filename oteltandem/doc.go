// Package oteltandem exports the Stats of Tandem's pools, pipelines, limiters and broadcasts to
// OpenTelemetry as metrics, and makes spans of tasks and stages.
//
// # Metrics
//
// A [Producer] is given to a reader of the SDK. [RecordStats] adds pools and others, whose Stats
// are read whenever metrics are collected:
//
//	var producer oteltandem.Producer
//	reader := metric.NewPeriodicReader(exporter, metric.WithProducer(&producer))
//	provider := metric.NewMeterProvider(metric.WithReader(reader))
//	oteltandem.RecordStats(&producer, "mail", mail) // a *pool.Pool, an Observer, …
//
// The attribute tandem.name is the name. Of a *pool.Pool there are
//
//	tandem.pool.worker.count, tandem.pool.worker.limit   {worker}, gauges
//	tandem.pool.task.count                               {task}, gauge; tandem.state is queued, running or waiting
//	tandem.pool.queue.capacity                           {task}, gauge
//	tandem.pool.submitter.blocked                        {call}, gauge; calls that wait for room
//	tandem.pool.task.submitted                           {task}, counter
//	tandem.pool.task.ended                               {task}, counter; tandem.outcome is completed, failed or cancelled
//	tandem.pool.task.wait_time, tandem.pool.task.duration  s, histograms
//
// of a *pipeline.Observer, with the attribute tandem.stage, where the second stage of a name is
// name#2,
//
//	tandem.pipeline.item.in, tandem.pipeline.item.out    {item}, counters
//	tandem.pipeline.item.lost                            {item}, counter; tandem.outcome is skipped, failed or discarded
//	tandem.pipeline.item.waiting                         {item}, gauge; on the way to the stage
//	tandem.pipeline.worker.count                         {worker}, gauge; the most that there were
//	tandem.pipeline.time                                 s, counter; tandem.state is busy, blocked or waiting
//
// of an *inflight.Limiter
//
//	tandem.inflight.limit, tandem.inflight.weight        {weight}, gauges; allowed, and in flight
//	tandem.inflight.waiter.count                         {call}, gauge
//	tandem.inflight.call.waited                          {call}, counter
//	tandem.inflight.call.dropped                         {call}, counter
//
// of a *ratelimit.Limiter and a *ratelimit.Keyed
//
//	tandem.ratelimit.waiter.count                        {call}, gauge
//	tandem.ratelimit.call.waited                         {call}, counter
//	tandem.ratelimit.permit.owed                         {permit}, gauge; of a Limiter
//	tandem.ratelimit.key.count                           {key}, gauge; of a Keyed, as those that follow
//	tandem.ratelimit.call.decided                        {call}, counter; tandem.outcome is granted or denied
//	tandem.ratelimit.key.dropped                         {key}, counter; tandem.reason is evicted or forgotten
//	tandem.ratelimit.call.shared                         {call}, counter
//
// and of a *broadcast.Broadcast
//
//	tandem.broadcast.value.sent, tandem.broadcast.value.lost  {value}, counters
//	tandem.broadcast.capacity                            {value}, gauge
//	tandem.broadcast.subscription.count                  {subscription}, gauge
//	tandem.broadcast.backlog.max                         {value}, gauge; of the slowest subscription
//	tandem.broadcast.backlog                             {value}, gauge; with PerSubscription, as those that follow
//	tandem.broadcast.value.delivered, tandem.broadcast.value.missed  {value}, counters
//
// where the last three have the attribute tandem.subscription.
//
// Histograms are whole. They are exponential, of scale 2, so that a bucket is 19 % wide; a time is
// in the bucket of the middle of its bucket in the pool, which is up to 25 % wide. With
// ExplicitBuckets of the Producer they have exact buckets at the powers of 4 from 1 µs to 5 hours.
// Counters and histograms are cumulative, whatever temporality the reader prefers.
//
// # Spans
//
// [Trace] wraps the function of a pool, a stage, or fan.Map. Each call is a span with a link to the
// span of the caller that submitted the task, or that runs the pipeline. Which of them are sampled
// is decided by the sampler of your TracerProvider.
//
//	p := pool.New(8, oteltandem.Trace("fetch", fetch))
//
// # Cost
//
// A collection calls each Stats once; its documentation has the cost. Nothing else costs anything. A
// span costs the time that the SDK takes for it, some microseconds if it is sampled.
//
// # When not to use it
//
//   - To look at a running program now and then: package debug of tandem needs no backend.
//   - To trace tasks of a few microseconds: the span costs more than the task.
package oteltandem
