// Package sse streams a [broadcast.Broadcast] to browsers, as server-sent events.
//
// A [Handler] is an http.Handler. Each value becomes an event whose id is the
// sequence number of the value. When a connection breaks, the browser comes back
// by itself and says which id it has seen last, and it is sent what it has
// missed since, as far as that is retained. What is not, it is told about:
//
//	id: 41
//	event: gap
//	data: {"missed":13}
//
// means that the 13 values up to number 41 are missing, or more if it says
// "atLeast":true. The same event is sent to a viewer that is connected and too
// slow. Where values are missing in the broadcast itself, which have no numbers, its
// id is that of the value before. So, for each viewer,
//
//	values received + missed = sent since it first came
//
// unless the program was restarted meanwhile. Then the viewer gets the event
// reset, and everything that is retained; see Handler.Run. When the broadcast is
// closed, it gets the event end, and should close its EventSource, or it will
// come back, to be told 204 No Content, which makes a browser stop.
//
// The Shutdown of an http.Server waits for viewers, and they stay as long as the
// broadcast is open. So close that when the shutdown begins:
//
//	server.RegisterOnShutdown(func() { _ = prices.Close() })
//
// A viewer that does not take what is written for as long as WriteTimeout loses
// its connection, and with it everything that it cost. A comment is written now
// and then when there is no news, so that both ends and what is between them
// know that the connection stands.
//
// # Cost
//
// A viewer costs its connection, with the goroutine that net/http has for it, and a
// subscription. Each value is encoded once for each viewer; what is there at once
// is written at once.
//
// # When not to use it
//
//   - What the browser has to say goes another way: in requests, or all of it over a
//     WebSocket.
//   - Over HTTP/1.1 a browser has six connections to a host, for all of its windows.
//     Serve HTTP/2, or send all that a page needs on one.
//   - A viewer that stays away too long has a gap. If it can't do without what is
//     missing, it must ask for that elsewhere.
package sse
