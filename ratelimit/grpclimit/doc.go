// Package grpclimit limits gRPC servers and clients by package
// [github.com/tandemgo/tandem/ratelimit].
//
// # Servers
//
// [UnaryServer] and [StreamServer] take a permit for each call and answer calls above the limit
// with the status RESOURCE_EXHAUSTED. Its details have a RetryInfo with the time after which
// the call would be granted, unless that is never. A stream costs one permit, and with
// [PerMessage] another one for each message that the server receives.
//
//	limit := ratelimit.NewKeyed[netip.Prefix](ratelimit.Per(10, time.Second), 20)
//	server := grpc.NewServer(
//		grpc.UnaryInterceptor(grpclimit.UnaryServer(limit, grpclimit.ByPeer)),
//		grpc.StreamInterceptor(grpclimit.StreamServer(limit, grpclimit.ByPeer)),
//	)
//
// # Clients
//
// [UnaryClient] and [StreamClient] wait for a permit before each call, until the context of
// the call ends. With PerMessage, a stream waits for another one before it sends a message.
//
// # At once
//
// [InFlightUnaryServer], [InFlightStreamServer] and [InFlightUnaryClient] bound how many calls
// run at once, by a limiter of package [github.com/tandemgo/tandem/inflight], which may learn
// its limit.
//
// # Errors
//
// If the limiter cannot decide, a server answers with UNAVAILABLE. If the context of the call
// has ended, the status is CANCELED or DEADLINE_EXCEEDED.
//
// # Cost
//
// A call costs one call of the limiter, and a denied one the making of a status.
//
// # When not to use it
//
//   - To bound how many calls of one connection run at once, use
//     [google.golang.org/grpc.MaxConcurrentStreams].
//   - To limit by the contents of a request, call the limiter in the handler.
package grpclimit
