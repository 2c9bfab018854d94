// Package httplimit puts the limits of package ratelimit on HTTP: on a server
// with [Middleware], on a client with [NewTransport]. Both accept any
// [ratelimit.Taker], such as a [ratelimit.Keyed], and a function that says whose
// permit a request takes: [ByIP], [ByForwardedIP], [ByHeader], [ByPath], [ByHost],
// or any other.
//
// A request takes one permit, or what [WithCost] says. A server answers what is
// too much with 429 Too Many Requests, and says in Retry-After when to come back.
// A client waits before it sends, and stays away for as long as a server's
// Retry-After asks it to.
//
// There is no goroutine, and nothing to close.
package httplimit
