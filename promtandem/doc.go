// Package promtandem exports the Stats of package tandem's pools, pipelines, limiters and
// broadcasts to Prometheus.
//
//	stop, err := promtandem.RecordStats("mail", mail) // a *pool.Pool, an Observer, …
//
// [RecordStats] registers a collector that calls Stats at each scrape. The name becomes the
// label pool, pipeline, limiter or broadcast.
//
// # Metrics
//
// Of a *pool.Pool:
//
//	tandem_pool_workers, tandem_pool_workers_limit        gauges
//	tandem_pool_tasks{state}                              gauge; queued, running, waiting
//	tandem_pool_queue_capacity                            gauge; as set by WithQueue
//	tandem_pool_submitters_blocked                        gauge; calls that wait for room
//	tandem_pool_tasks_submitted_total                     counter
//	tandem_pool_tasks_ended_total{outcome}                counter; completed, failed, cancelled
//	tandem_pool_queue_wait_seconds, tandem_pool_run_seconds  histograms
//
// Of a *pipeline.Observer, by stage; the second stage of a name is name#2:
//
//	tandem_pipeline_items_in_total{stage}                 counter
//	tandem_pipeline_items_out_total{stage}                counter
//	tandem_pipeline_items_lost_total{stage,outcome}       counter; skipped, failed, discarded
//	tandem_pipeline_items_waiting{stage}                  gauge; on the way to the stage
//	tandem_pipeline_workers{stage}                        gauge; the most that there were
//	tandem_pipeline_time_seconds_total{stage,state}       counter; busy, blocked, waiting
//
// Of an *inflight.Limiter:
//
//	tandem_inflight_limit, tandem_inflight_weight         gauges; allowed, and in flight
//	tandem_inflight_waiters                               gauge
//	tandem_inflight_waits_total                           counter; calls that have had to wait
//	tandem_inflight_dropped_total                         counter
//	tandem_inflight_latency_seconds                       gauge; mean of the last round, if adaptive
//
// Of a *ratelimit.Limiter and a *ratelimit.Keyed:
//
//	tandem_ratelimit_waiters                              gauge
//	tandem_ratelimit_waits_total                          counter; calls that have had to wait
//	tandem_ratelimit_permits_owed                         gauge; of a Limiter
//	tandem_ratelimit_keys                                 gauge; of a Keyed, as those that follow
//	tandem_ratelimit_calls_total{outcome}                 counter; granted, denied
//	tandem_ratelimit_keys_dropped_total{reason}           counter; evicted, forgotten
//	tandem_ratelimit_calls_shared_total                   counter
//
// Of a *broadcast.Broadcast:
//
//	tandem_broadcast_values_sent_total, tandem_broadcast_values_lost_total  counters
//	tandem_broadcast_capacity, tandem_broadcast_subscriptions               gauges
//	tandem_broadcast_backlog_max                          gauge; of the slowest subscription
//	tandem_broadcast_backlog{subscription}                gauge; with PerSubscription
//	tandem_broadcast_delivered_total{subscription}        counter; with PerSubscription
//	tandem_broadcast_missed_total{subscription}           counter; with PerSubscription
//
// Histograms are whole. They are classic ones with a bucket for each power of 4, from 1 µs to 5
// hours, and native ones of schema 2, whose buckets are 19 % wide, for a server that asks for
// these. A time is in the native bucket of the middle of its bucket in the pool, which is up to
// 25 % wide.
//
// # Questions
//
// Is a queue full, and how long do tasks wait and run?
//
//	tandem_pool_tasks{state="queued"} / on (pool) group_left tandem_pool_queue_capacity
//	histogram_quantile(0.99, sum by (pool, le) (rate(tandem_pool_run_seconds_bucket[5m])))
//	histogram_quantile(0.99, sum by (pool) (rate(tandem_pool_run_seconds[5m]))) # native
//
// Which stage holds up its pipeline? The one whose workers are at work for the largest part of
// the time:
//
//	topk by (pipeline) (1, rate(tandem_pipeline_time_seconds_total{state="busy"}[5m])
//	  / on (pipeline, stage) group_left tandem_pipeline_workers)
//
// Which broadcast has a slow subscriber?
//
//	tandem_broadcast_backlog_max / tandem_broadcast_capacity
//
// # Cost
//
// Nothing but a scrape costs anything: it calls Stats once, whose documentation has the cost, and makes
// some 50 metrics of a pool, most of them buckets. For a pool, a pipeline of three stages and a
// broadcast to 100 together, that takes 0.2 ms.
//
// # When not to use it
//
//   - To look at a running program now and then: package debug of tandem shows more, and
//     needs no server.
//   - If the program already exports by OpenTelemetry: use oteltandem.
package promtandem
