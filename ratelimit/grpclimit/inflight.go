package grpclimit

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tandemgo/tandem/inflight"
)

// InFlightUnaryServer returns an interceptor that lets no more calls run at once than l has
// room for, each with a weight of 1. A call for which there is no room is answered at once with
// the status UNAVAILABLE, and a RetryInfo of retryAfter. It panics if l is nil or retryAfter is
// negative.
//
// An adaptive limiter learns from the time that the handler takes and from its status:
// DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED and UNAVAILABLE count as [inflight.Dropped], and other
// errors, and panics, as [inflight.Ignored].
func InFlightUnaryServer(l *inflight.Limiter, retryAfter time.Duration) grpc.UnaryServerInterceptor {
	busy := saturated(l, retryAfter, "InFlightUnaryServer")
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		p, ok := l.TryAcquire(1)
		if !ok {
			return nil, busy
		}
		defer p.Release(inflight.Ignored)
		res, err := handler(ctx, req)
		p.Release(outcome(err))
		return res, err
	}
}

// InFlightStreamServer is [InFlightUnaryServer] for streams, which take a weight of 1 until they
// end. How long a stream lasts tells nothing of the load, so that of one that succeeds counts as
// [inflight.Ignored].
func InFlightStreamServer(l *inflight.Limiter, retryAfter time.Duration) grpc.StreamServerInterceptor {
	busy := saturated(l, retryAfter, "InFlightStreamServer")
	return func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		p, ok := l.TryAcquire(1)
		if !ok {
			return busy
		}
		defer p.Release(inflight.Ignored)
		err := handler(srv, stream)
		if outcome(err) == inflight.Dropped {
			p.Release(inflight.Dropped)
		}
		return err
	}
}

// InFlightUnaryClient returns an interceptor that waits, first come, first served, until l has
// room for a call. An adaptive limiter learns from the time that the call takes and from its
// status, as that of [InFlightUnaryServer] does. InFlightUnaryClient panics if l is nil.
func InFlightUnaryClient(l *inflight.Limiter) grpc.UnaryClientInterceptor {
	require(l == nil, false, "InFlightUnaryClient")
	return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		p, err := l.Acquire(ctx, 1)
		if err != nil {
			return failure(ctx, err)
		}
		defer p.Release(inflight.Ignored)
		err = invoke(ctx, method, req, reply, conn, opts...)
		p.Release(outcome(err))
		return err
	}
}

// saturated returns the status of calls for which there is no room.
func saturated(l *inflight.Limiter, retryAfter time.Duration, call string) error {
	require(l == nil, false, call)
	if retryAfter < 0 {
		panic(fmt.Sprintf("grpclimit: %s: pause must not be negative, got %v", call, retryAfter))
	}
	s := status.New(codes.Unavailable, "too many calls in flight")
	if with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)}); err == nil {
		s = with
	}
	return s.Err()
}

// outcome returns what the status of a call tells of the load.
func outcome(err error) inflight.Outcome {
	switch status.Code(err) {
	case codes.OK:
		return inflight.Success
	case codes.DeadlineExceeded, codes.ResourceExhausted, codes.Unavailable:
		return inflight.Dropped
	}
	return inflight.Ignored
}
