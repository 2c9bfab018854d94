package promtandem

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// A family is the metrics of one name.
type family struct {
	kind   string // of Stats
	label  string // of what has them
	name   string
	help   string
	typ    prometheus.ValueType
	labels []string
}

func kindOf[S Stats]() string { return fmt.Sprintf("%T", *new(S)) }

func (f *family) desc(of string) *prometheus.Desc {
	return prometheus.NewDesc(f.name, f.help, f.labels, prometheus.Labels{f.label: of})
}

var families []*family

func newFamily[S Stats](label string, typ prometheus.ValueType, name, help string, labels ...string) *family {
	f := &family{kindOf[S](), label, name, help, typ, labels}
	families = append(families, f)
	return f
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

var (
	workers   = newFamily[pool.Stats]("pool", gauge, "tandem_pool_workers", "Workers alive, idle or not.")
	limit     = newFamily[pool.Stats]("pool", gauge, "tandem_pool_workers_limit", "Workers allowed at once.")
	tasks     = newFamily[pool.Stats]("pool", gauge, "tandem_pool_tasks", "Tasks that have not ended.", "state")
	room      = newFamily[pool.Stats]("pool", gauge, "tandem_pool_queue_capacity", "Tasks that may be queued while all workers are busy.")
	blocked   = newFamily[pool.Stats]("pool", gauge, "tandem_pool_submitters_blocked", "Calls that wait for room in the queue.")
	submitted = newFamily[pool.Stats]("pool", counter, "tandem_pool_tasks_submitted_total", "Tasks accepted.")
	ended     = newFamily[pool.Stats]("pool", counter, "tandem_pool_tasks_ended_total", "Tasks that have ended.", "outcome")
	queueWait = newFamily[pool.Stats]("pool", 0, "tandem_pool_queue_wait_seconds", "Time from being accepted to the start.")
	runTime   = newFamily[pool.Stats]("pool", 0, "tandem_pool_run_seconds", "Time from the start to the return.")

	itemsIn      = newFamily[pipeline.Stats]("pipeline", counter, "tandem_pipeline_items_in_total", "Items that the stage has begun to work on.", "stage")
	itemsOut     = newFamily[pipeline.Stats]("pipeline", counter, "tandem_pipeline_items_out_total", "Values sent.", "stage")
	itemsLost    = newFamily[pipeline.Stats]("pipeline", counter, "tandem_pipeline_items_lost_total", "Items skipped, failed or discarded.", "stage", "outcome")
	itemsWaiting = newFamily[pipeline.Stats]("pipeline", gauge, "tandem_pipeline_items_waiting", "Items on their way to the stage.", "stage")
	stageWorkers = newFamily[pipeline.Stats]("pipeline", gauge, "tandem_pipeline_workers", "The most goroutines that the stage has had at once.", "stage")
	stageTime    = newFamily[pipeline.Stats]("pipeline", counter, "tandem_pipeline_time_seconds_total", "Time that the goroutines of the stage have been busy, blocked by the next stage, or waiting for input.", "stage", "state")

	inflightLimit   = newFamily[inflight.Stats]("limiter", gauge, "tandem_inflight_limit", "Weight that may be in flight.")
	inflightWeight  = newFamily[inflight.Stats]("limiter", gauge, "tandem_inflight_weight", "Weight that is in flight.")
	inflightWaiters = newFamily[inflight.Stats]("limiter", gauge, "tandem_inflight_waiters", "Callers that wait.")
	inflightWaits   = newFamily[inflight.Stats]("limiter", counter, "tandem_inflight_waits_total", "Calls that have had to wait.")
	inflightDropped = newFamily[inflight.Stats]("limiter", counter, "tandem_inflight_dropped_total", "Permits released as Dropped.")
	inflightLatency = newFamily[inflight.Stats]("limiter", gauge, "tandem_inflight_latency_seconds", "Mean of the last round of an adaptive limiter.")

	limiterWaiters = newFamily[ratelimit.Stats]("limiter", gauge, "tandem_ratelimit_waiters", "Callers that wait.")
	limiterWaits   = newFamily[ratelimit.Stats]("limiter", counter, "tandem_ratelimit_waits_total", "Calls that have had to wait.")
	owed           = newFamily[ratelimit.Stats]("limiter", gauge, "tandem_ratelimit_permits_owed", "Permits that have not come back yet.")

	keyedWaiters = newFamily[ratelimit.KeyedStats]("limiter", gauge, "tandem_ratelimit_waiters", "Callers that wait.")
	keyedWaits   = newFamily[ratelimit.KeyedStats]("limiter", counter, "tandem_ratelimit_waits_total", "Calls that have had to wait.")
	keys         = newFamily[ratelimit.KeyedStats]("limiter", gauge, "tandem_ratelimit_keys", "Keys that are kept.")
	calls        = newFamily[ratelimit.KeyedStats]("limiter", counter, "tandem_ratelimit_calls_total", "Calls granted and denied.", "outcome")
	dropped      = newFamily[ratelimit.KeyedStats]("limiter", counter, "tandem_ratelimit_keys_dropped_total", "Keys evicted since they owed nothing, or forgotten at the maximum.", "reason")
	shared       = newFamily[ratelimit.KeyedStats]("limiter", counter, "tandem_ratelimit_calls_shared_total", "Calls for keys that had to share a limiter.")

	sent          = newFamily[broadcast.Stats]("broadcast", counter, "tandem_broadcast_values_sent_total", "Values sent.")
	lost          = newFamily[broadcast.Stats]("broadcast", counter, "tandem_broadcast_values_lost_total", "Values that ReportGap said are missing.")
	capacity      = newFamily[broadcast.Stats]("broadcast", gauge, "tandem_broadcast_capacity", "Values retained at most for all.")
	subscriptions = newFamily[broadcast.Stats]("broadcast", gauge, "tandem_broadcast_subscriptions", "Subscriptions that are open.")
	backlogMax    = newFamily[broadcast.Stats]("broadcast", gauge, "tandem_broadcast_backlog_max", "Backlog of the slowest subscription.")
	backlog       = newFamily[broadcast.Stats]("broadcast", gauge, "tandem_broadcast_backlog", "Values sent and not read yet.", "subscription")
	delivered     = newFamily[broadcast.Stats]("broadcast", counter, "tandem_broadcast_delivered_total", "Values read.", "subscription")
	missed        = newFamily[broadcast.Stats]("broadcast", counter, "tandem_broadcast_missed_total", "Values missed.", "subscription")
)
