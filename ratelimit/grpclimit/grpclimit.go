package grpclimit

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tandemgo/tandem/ratelimit"
)

// A Key returns the key of a call. method is its full name, such as
// "/grpc.health.v1.Health/Check".
type Key[K comparable] func(ctx context.Context, method string) K

// A Waiter waits for permits by key. [ratelimit.Keyed] is one, and so is the limiter of
// package ratelimit/redislimit.
type Waiter[K comparable] interface {
	// WaitN waits until n permits of k can be had, and takes them.
	WaitN(ctx context.Context, k K, n int) error
}

// ByMethod is a [Key]: each method has a limit.
func ByMethod(_ context.Context, method string) string { return method }

// ByPeer is a [Key]: each IPv4 address, and each /64 of IPv6, has a limit. Peers without an
// IP address, such as those on a Unix socket, share one.
func ByPeer(ctx context.Context, _ string) netip.Prefix {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return netip.Prefix{}
	}
	var ip netip.Addr
	switch addr := p.Addr.(type) {
	case *net.TCPAddr:
		ip = addr.AddrPort().Addr()
	case nil:
		return netip.Prefix{}
	default:
		ap, err := netip.ParseAddrPort(addr.String())
		if err != nil {
			return netip.Prefix{}
		}
		ip = ap.Addr()
	}
	ip = ip.Unmap().WithZone("")
	prefix, _ := ip.Prefix(min(ip.BitLen(), 64)) // of IPv4, all 32
	return prefix
}

// An Option changes [StreamServer] and [StreamClient]. A nil Option is ignored.
type Option func(*options)

type options struct{ perMessage bool }

// PerMessage makes each message that a server receives, or a client sends, on a stream cost
// a permit as well.
func PerMessage() Option { return func(o *options) { o.perMessage = true } }

func collect(opts []Option) (o options) {
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

// UnaryServer returns an interceptor that takes a permit for each call before the handler
// runs. It panics if limit or key is nil.
func UnaryServer[K comparable](limit ratelimit.Taker[K], key Key[K]) grpc.UnaryServerInterceptor {
	require(limit == nil, key == nil, "UnaryServer")
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if err := take(ctx, limit, key(ctx, info.FullMethod)); err != nil {
			return nil, err
		}
		return handler(ctx, req)
	}
}

// StreamServer returns an interceptor that takes a permit for each stream before the handler
// runs. It panics if limit or key is nil.
func StreamServer[K comparable](limit ratelimit.Taker[K], key Key[K], opts ...Option) grpc.StreamServerInterceptor {
	require(limit == nil, key == nil, "StreamServer")
	o := collect(opts)
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx := stream.Context()
		k := key(ctx, info.FullMethod)
		if err := take(ctx, limit, k); err != nil {
			return err
		}
		if o.perMessage {
			stream = &serverStream{stream, func() error { return take(ctx, limit, k) }}
		}
		return handler(srv, stream)
	}
}

type serverStream struct {
	grpc.ServerStream
	take func() error
}

// RecvMsg receives a message, and then takes its permit.
func (s *serverStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.take()
}

// UnaryClient returns an interceptor that waits for a permit before each call. It panics if
// limit or key is nil.
func UnaryClient[K comparable](limit Waiter[K], key Key[K]) grpc.UnaryClientInterceptor {
	require(limit == nil, key == nil, "UnaryClient")
	return func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		if err := wait(ctx, limit, key(ctx, method)); err != nil {
			return err
		}
		return invoke(ctx, method, req, reply, conn, opts...)
	}
}

// StreamClient returns an interceptor that waits for a permit before each stream. It panics
// if limit or key is nil.
func StreamClient[K comparable](limit Waiter[K], key Key[K], opts ...Option) grpc.StreamClientInterceptor {
	require(limit == nil, key == nil, "StreamClient")
	o := collect(opts)
	return func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		k := key(ctx, method)
		if err := wait(ctx, limit, k); err != nil {
			return nil, err
		}
		stream, err := open(ctx, desc, conn, method, opts...)
		if err == nil && o.perMessage {
			// Not the context of the stream: a stream that is asked for that is not retried.
			waiting, ended := context.WithCancel(ctx)
			stream = &clientStream{stream, ended, func() error {
				if err := wait(waiting, limit, k); waiting.Err() == nil || ctx.Err() != nil {
					return err
				}
				return nil // the stream has ended, as SendMsg will say
			}}
		}
		return stream, err
	}
}

type clientStream struct {
	grpc.ClientStream
	ended func()
	wait  func() error
}

// SendMsg waits for a permit, and then sends a message.
func (s *clientStream) SendMsg(m any) error {
	if err := s.wait(); err != nil {
		return err
	}
	return s.ClientStream.SendMsg(m)
}

// RecvMsg receives a message. At the end of the stream, it ends a wait of SendMsg.
func (s *clientStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err != nil {
		s.ended()
	}
	return err
}

func require(noLimit, noKey bool, call string) {
	if noLimit {
		panic("grpclimit: " + call + ": limiter must not be nil")
	}
	if noKey {
		panic("grpclimit: " + call + ": key function must not be nil")
	}
}

// take takes a permit, or returns a status.
func take[K comparable](ctx context.Context, limit ratelimit.Taker[K], k K) error {
	d, err := limit.Take(ctx, k, 1)
	switch {
	case err != nil:
		return failure(ctx, err)
	case d.OK:
		return nil
	case d.RetryAfter == ratelimit.Never:
		return status.Error(codes.ResourceExhausted, "rate limit exceeded")
	}
	s := status.Newf(codes.ResourceExhausted, "rate limit exceeded, retry after %v", d.RetryAfter)
	if with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(d.RetryAfter)}); err == nil {
		s = with
	}
	return s.Err()
}

// wait waits for a permit, or returns a status.
func wait[K comparable](ctx context.Context, limit Waiter[K], k K) error {
	err := limit.WaitN(ctx, k, 1)
	if err == nil {
		return nil
	}
	return failure(ctx, err)
}

// failure returns the status of an error of a limiter.
func failure(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, ratelimit.ErrExceedsBurst):
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	return status.Error(codes.Unavailable, err.Error())
}
