// Package httplimit puts the limits of package ratelimit on HTTP: on a server
// with [Middleware], on a client with [NewTransport]. Both accept any
// [ratelimit.Taker], such as a [ratelimit.Keyed], and a function that returns the key
// of a request: [ByIP], [ByForwardedIP], [ByHeader], [ByPath], [ByHost],
// or any other. A request takes one permit, or as many as [WithCost]
// sets.
//
// # Promises
//
// A server never makes a client wait: a request over the limit is answered at once with
// 429 Too Many Requests, and Retry-After tells when to come back, never too early. The
// handler does not see that request.
//
// A client waits before it sends, first come, first served for each key, and stays
// away for as long as a server's Retry-After asks it to. A request that can't be sent
// before its deadline fails at once. No request is sent twice without [WithRetries].
//
// Of a Middleware and an [InFlight] around one handler the outer one is asked first.
// Middleware(InFlight(h)) takes a permit also for a request that is then answered with 503,
// InFlight(Middleware(h)) does not.
//
// # Whose permit
//
// A key must be something that a client can't choose at will. An address is
// safe with [ByIP]; behind a proxy all requests have that of the proxy, and
// [ByForwardedIP] has to be told which proxies to believe. It is safe as well, if the
// proxies append to the header that it reads, and quote the text that they copy
// from a request. A header is safe once something before the limit has checked it, as
// an API key.
//
// Keys of text, such as those of [ByHeader], have 257 bytes at most. A function of
// your own that returns text of strangers should bound it, too.
//
// # Cost
//
// A request costs as much as a permit: with a [ratelimit.Keyed] some hundreds of
// nanoseconds, and no allocation. On a client, one that has to wait takes about one
// kilobyte for that long. There is no goroutine, and nothing to close. RESULTS.md has the
// figures of a server that two million users call.
//
// Whole programs, such as a crawler, an ETL and a server with live progress, are in the cookbook:
// https://github.com/tandemgo/tandem/blob/main/docs/cookbook.md
//
// # When not to use it
//
//   - Against a flood: a request must have arrived to be denied. A proxy or a
//     firewall in front of the program denies it for less.
//   - To bound how many requests are served at once: that is [InFlight], which takes a
//     limiter of package inflight, and [NewInFlightTransport] on a client.
package httplimit
