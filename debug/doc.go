// Package debug serves a live page of the pools, pipelines, limiters and broadcasts of a
// program, beside net/http/pprof:
//
//	var h debug.Handler
//	debug.Add(&h, "thumbnails", thumbnails) // a *pool.Pool
//	debug.Add(&h, "import", &observer)      // a *pipeline.Observer
//	mux.Handle("/debug/tandem", &h)
//
// The page is live while it is open. It begins with apparent faults: a pool whose
// queue is full, a subscription that reads nothing, a stage that holds up its pipeline.
// Below that it shows
//
//   - of a pool its queue, its workers, how long tasks wait and run, and failures;
//   - of a pipeline a picture of the stages with the flow between them; the bottleneck
//     is marked;
//   - of a broadcast how far each subscription is behind, how many values it has missed,
//     and, if the broadcast is made with broadcast.Traced, where it was made;
//   - of a limiter its rate, the permits owed and the callers that wait; of a keyed limiter
//     grants and denials, too;
//   - of a limiter of calls in flight its limit, the weight in flight, the callers that wait
//     and the calls that were dropped.
//
// The page is a single file that needs no network but the program itself. It fits a
// phone, and follows the dark mode of the browser.
//
// # Access
//
// A Handler has no access control of its own, like net/http/pprof: put your own middleware in
// front of it, or mount it on a server that only listens on a private address. The page
// shows names, counts, times, and, with broadcast.Traced, paths of source files. It shows
// no values and changes nothing.
//
// # JSON
//
// A request with ?format=json is answered with the figures as JSON, for scripts:
//
//	curl -s 'localhost:8080/debug/tandem?format=json' | jq '.Pools[] | {Name, Queued: .Stats.Queued}'
//
// The answer is an object with the members
//
//	Time        when the figures were taken, as in RFC 3339
//	Pools       [{Name, Stats}], Stats as [pool.Stats]
//	Pipelines   [{Name, Stages, Edges}], as [pipeline.Stats] and [pipeline.Edge]
//	Inflight    [{Name, Stats}], Stats as [inflight.Stats]
//	Limiters    [{Name, Limit, Stats}], Stats as [ratelimit.Stats]
//	Keyed       [{Name, Stats}], Stats as [ratelimit.KeyedStats]
//	Broadcasts  [{Name, Stats}], Stats as [broadcast.Stats]
//	Errors      [{Name, Error}], those whose Stats panicked
//
// each in the order of Add. Durations are in nanoseconds. With ?format=events the same
// object comes as server-sent events, now and at each [Handler.Interval]: the page reads
// these.
//
// # Traces and logs
//
// [Region] names tasks and items in the traces of runtime/trace and its flight recorder.
// [LogErrors] and [LogLag] are handlers that log errors of tasks and subscriptions that
// lag. [LogGaps], [LogDenial] and [LogShutdown] log values that were missed, the first
// denial of a limiter, and a shutdown that had to cancel tasks. A program that uses none
// of them pays nothing.
//
// # Cost
//
// A Handler costs nothing while no page is open: nothing is sampled and no goroutine
// runs. Open pages share one goroutine, which calls each Stats once per Interval. The
// documentation of each Stats has its cost. Sampled four times a second, a pool at tasks
// of 1 µs and a pipeline of three cheap stages took no measurable processor time more,
// and a broadcast to 100 about 1 % more.
//
// # When not to use it
//
//   - To keep figures, or for alerts: export them to Prometheus or
//     OpenTelemetry. The page has only totals, and the course of them while it was open.
//   - To find out where the processor's time goes: net/http/pprof.
package debug
