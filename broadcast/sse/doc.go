// Package sse streams broadcasts to browsers, as server-sent events.
//
// A [Handler] is an http.Handler. Its Source makes the subscription of each viewer: all
// viewers get one [broadcast.Broadcast], see [From], or each gets a topic, several topics or
// a broadcast across processes, as its request demands. Its Filter leaves out values that a
// viewer is not to get. Each value becomes an event whose id is the
// sequence number of the value. When a connection breaks, the browser connects again
// by itself and names the last id that it has seen. It gets the values that it has
// missed since, as far as they are retained, and an event for those that are not:
//
//	id: 41
//	event: gap
//	data: {"missed":13}
//
// means that the 13 values up to number 41 are missing, or more if it has "atLeast":true.
// The same event is sent to a viewer that is connected and too slow. Values that are
// missing in the broadcast itself have no numbers: the id of such an event is that of the
// value before. So, for each viewer,
//
//	values received + missed = sent since it first came
//
// where values that its filter leaves out count as received. If the program was restarted
// meanwhile, the viewer gets the event reset instead, and everything that is retained;
// see Handler.Run.
//
// Each connection begins with a comment and the id of its place, which is -1 before the
// first value. This id comes without an event, so the page does not see it. If the
// connection breaks before the first event, the browser comes back with this id.
//
// When the broadcast is closed, viewers get the values before and the event end. A viewer
// that was away at that time, and comes back, gets the retained values and then end. The
// page should close its EventSource at end. Otherwise the browser comes back; the
// answer is then 204 No Content, since nothing is left, and the browser stops.
//
// The Shutdown of an http.Server waits for viewers, and they stay as long as the
// broadcast is open. So close that when the shutdown begins:
//
//	server.RegisterOnShutdown(func() { _ = prices.Close() })
//
// A viewer that takes no data for as long as WriteTimeout loses its connection, and the
// server frees all that it held for the viewer. A comment is written now and then when
// there is no news, so that both ends, and proxies between them, keep the connection.
// While nothing is written, no deadline is set.
//
// # The server and its middleware
//
// The timeouts of an http.Server do not end a stream. Over HTTP/2, set
// HTTP2.WriteByteTimeout of the server, too: without it, net/http can't end a write
// while the client takes nothing on the whole connection. Such a viewer loses its
// subscription after WriteTimeout, but keeps its goroutine until the connection ends.
//
// A middleware that wraps the http.ResponseWriter must have Unwrap, or else Flush and
// SetWriteDeadline. If Flush is hidden, as by http.TimeoutHandler, nothing can be
// streamed: the answer is 500, and the ErrorLog of the server has the reason. If only
// SetWriteDeadline is hidden, the WriteTimeout of the server applies, and a viewer
// that takes nothing loses its subscription but may keep its goroutine.
//
// # Cost
//
// A viewer costs its connection, with the goroutine that net/http has for it, and a
// subscription. Each value is encoded once for all viewers of a broadcast that are within
// 256 values of the first; the events of these values, up to 64 KiB each, are kept while the
// broadcast has viewers. Values that are there at once are written at once. Each subscription to
// several topics is a broadcast of its own, so its events are encoded for one viewer.
//
// 1,000 viewers of values of 1 kB, of which 20 take nothing and 20 vanish, cost 50 to 65 kB of
// heap each, together with the test's client of each, on HTTP/1.1 and HTTP/2, with nginx in front or
// not. All the others get every value: 320 values in 5 to 8 s on 2 cores with other work.
//
// Whole programs, such as a crawler, an ETL and a server with live progress, are in the cookbook:
// https://github.com/tandemgo/tandem/blob/main/docs/cookbook.md
//
// # When not to use it
//
//   - The browser cannot answer on the stream: it sends requests, or both sides use a
//     WebSocket.
//   - Over HTTP/1.1 a browser has six connections to a host, for all of its windows.
//     Serve HTTP/2, or send all that a page needs on one.
//   - A viewer that stays away too long has a gap. If it can't do without the missing
//     values, it must ask for them elsewhere.
package sse
