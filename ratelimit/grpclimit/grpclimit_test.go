package grpclimit_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/grpclimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// dial returns a client of a health server.
func dial(t testing.TB, server []grpc.ServerOption, client ...grpc.DialOption) grpc_health_v1.HealthClient {
	t.Helper()
	l := bufconn.Listen(1 << 16)
	s := grpc.NewServer(server...)
	h := health.NewServer()
	h.SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(s, h)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:///test", append(client, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		s.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return grpc_health_v1.NewHealthClient(conn)
}

func check(ctx context.Context, c grpc_health_v1.HealthClient) error {
	_, err := c.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return err
}

// watch opens a stream and reads one answer.
func watch(ctx context.Context, c grpc_health_v1.HealthClient) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := c.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	_, err = s.Recv()
	return err
}

// A denied call has the status RESOURCE_EXHAUSTED, and says when to come back.
func TestServerDenies(t *testing.T) {
	limit := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 2)
	never := ratelimit.NewKeyed[string](ratelimit.Per(0, time.Hour), 1)
	c := dial(t, []grpc.ServerOption{
		grpc.UnaryInterceptor(grpclimit.UnaryServer(limit, grpclimit.ByMethod)),
		grpc.StreamInterceptor(grpclimit.StreamServer(never, grpclimit.ByMethod, nil)),
	})
	for range 2 {
		if err := check(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	s := status.Convert(check(t.Context(), c))
	if s.Code() != codes.ResourceExhausted || len(s.Details()) != 1 {
		t.Fatalf("%v, %v", s.Code(), s.Details())
	}
	info, ok := s.Details()[0].(*errdetails.RetryInfo)
	if d := info.GetRetryDelay().AsDuration(); !ok || d <= 59*time.Minute || d > time.Hour {
		t.Errorf("retry after %v", d)
	}
	if err := watch(t.Context(), c); err != nil {
		t.Error(err)
	}
	if s := status.Convert(watch(t.Context(), c)); s.Code() != codes.ResourceExhausted || len(s.Details()) != 0 {
		t.Errorf("a stream: %v, %v", s.Code(), s.Details())
	}
}

// With PerMessage, each message that a server receives costs a permit.
func TestServerCountsMessages(t *testing.T) {
	limit := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 3)
	c := dial(t, []grpc.ServerOption{grpc.StreamInterceptor(grpclimit.StreamServer(limit, grpclimit.ByMethod, grpclimit.PerMessage()))})
	if err := watch(t.Context(), c); err != nil { // two permits
		t.Error(err)
	}
	if code := status.Code(watch(t.Context(), c)); code != codes.ResourceExhausted {
		t.Errorf("the message of the second stream: %v", code)
	}
	if n := limit.Stats().Granted; n != 3 {
		t.Errorf("%d permits", n)
	}
}

// A client waits for its permits, and not longer than its deadline.
func TestClientWaits(t *testing.T) {
	limit := ratelimit.NewKeyed[string](ratelimit.Every(10*time.Millisecond), 1)
	c := dial(t, nil, grpc.WithUnaryInterceptor(grpclimit.UnaryClient(limit, grpclimit.ByMethod)),
		grpc.WithStreamInterceptor(grpclimit.StreamClient(limit, grpclimit.ByMethod, grpclimit.PerMessage())))
	start := time.Now()
	for range 3 {
		if err := check(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(start); took < 20*time.Millisecond {
		t.Errorf("three calls took %v", took)
	}
	if err := watch(t.Context(), c); err != nil {
		t.Error(err)
	}
	if n := limit.Stats().Granted; n == 0 {
		t.Error("nothing was counted")
	}
	slow := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 1)
	c = dial(t, nil, grpc.WithUnaryInterceptor(grpclimit.UnaryClient(slow, grpclimit.ByMethod)))
	if err := check(t.Context(), c); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if code := status.Code(check(ctx, c)); code != codes.DeadlineExceeded {
		t.Errorf("a deadline that is too early: %v", code)
	}
	ended, cancel2 := context.WithCancel(t.Context())
	cancel2()
	if code := status.Code(check(ended, c)); code != codes.Canceled {
		t.Errorf("a context that has ended: %v", code)
	}
}

// With PerMessage, a stream is retried as without it, and a wait for a message ends with the stream.
func TestClientStreamsAreRetriedAndEnd(t *testing.T) {
	limit := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 2)
	answers := []error{status.Error(codes.Unavailable, "not yet"), nil, status.Error(codes.Internal, "over")}
	answer := grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		err := answers[0]
		if answers = answers[1:]; err == nil {
			err = handler(srv, stream)
		}
		return err
	})
	c := dial(t, []grpc.ServerOption{answer}, grpc.WithStreamInterceptor(grpclimit.StreamClient(limit, grpclimit.ByMethod, grpclimit.PerMessage())),
		grpc.WithDefaultServiceConfig(`{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 2, "initialBackoff": "0.01s",
			"maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}]}`))
	if err := watch(t.Context(), c); err != nil {
		t.Error(err)
	}
	limit.Forget(grpc_health_v1.Health_Watch_FullMethodName)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stream, err := c.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { sent <- stream.SendMsg(&grpc_health_v1.HealthCheckRequest{}) }()
	if _, err := stream.Recv(); status.Code(err) != codes.Internal {
		t.Error(err)
	}
	select {
	case err := <-sent:
		if err == nil {
			t.Error("a message is sent on a stream that has ended")
		}
	case <-time.After(10 * time.Second):
		t.Error("a wait goes on after the end of its stream")
	}
}

type broken struct{}

func (broken) Take(context.Context, string, int) (ratelimit.Decision, error) {
	return ratelimit.Decision{}, errors.New("no connection")
}

// A limiter that cannot decide makes the server unavailable.
func TestServerWithoutDecision(t *testing.T) {
	c := dial(t, []grpc.ServerOption{grpc.UnaryInterceptor(grpclimit.UnaryServer[string](broken{}, grpclimit.ByMethod))})
	if code := status.Code(check(t.Context(), c)); code != codes.Unavailable {
		t.Errorf("%v", code)
	}
}

func TestByPeer(t *testing.T) {
	for addr, want := range map[net.Addr]string{
		&net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 1}:                 "192.0.2.1/32",
		&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 1}:          "192.0.2.1/32",
		&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Zone: "eth0", Port: 1}: "2001:db8::/64",
		&net.UDPAddr{IP: net.ParseIP("192.0.2.1"), Port: 1}:                 "192.0.2.1/32",
		&net.UnixAddr{Name: "@", Net: "unix"}:                               "invalid Prefix",
	} {
		if got := grpclimit.ByPeer(peer.NewContext(t.Context(), &peer.Peer{Addr: addr}), ""); got.String() != want {
			t.Errorf("%v: %v, want %v", addr, got, want)
		}
	}
	if got := grpclimit.ByPeer(t.Context(), ""); got != (netip.Prefix{}) {
		t.Errorf("without a peer: %v", got)
	}
}

func TestMisusePanics(t *testing.T) {
	limit := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 1)
	for want, call := range map[string]func(){
		"grpclimit: UnaryServer: limiter must not be nil":       func() { grpclimit.UnaryServer[string](nil, grpclimit.ByMethod) },
		"grpclimit: StreamServer: key function must not be nil": func() { grpclimit.StreamServer(limit, nil) },
		"grpclimit: UnaryClient: key function must not be nil":  func() { grpclimit.UnaryClient(limit, nil) },
		"grpclimit: StreamClient: limiter must not be nil":      func() { grpclimit.StreamClient[string](nil, grpclimit.ByMethod) },
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("panicked with %v, want %q", got, want)
				}
			}()
			call()
		}()
	}
}

// A server with 10 calls a second for each address, and one message a second on streams.
func ExampleUnaryServer() {
	calls := ratelimit.NewKeyed[netip.Prefix](ratelimit.Per(10, time.Second), 20)
	messages := ratelimit.NewKeyed[netip.Prefix](ratelimit.Every(time.Second), 5)
	server := grpc.NewServer(
		grpc.UnaryInterceptor(grpclimit.UnaryServer(calls, grpclimit.ByPeer)),
		grpc.StreamInterceptor(grpclimit.StreamServer(messages, grpclimit.ByPeer, grpclimit.PerMessage())),
	)
	defer server.Stop()
	fmt.Println(len(server.GetServiceInfo()))
	// Output: 0
}

// Users are known by a header, and share one limit on all methods. A client of the same
// limit waits.
func ExampleKey() {
	var byUser grpclimit.Key[string] = func(ctx context.Context, _ string) string {
		md, _ := metadata.FromIncomingContext(ctx)
		return strings.Join(md.Get("user"), ",")
	}
	ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs("user", "ann"))
	fmt.Println(byUser(ctx, "/grpc.health.v1.Health/Check"))
	var limit grpclimit.Waiter[string] = ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 1)
	fmt.Println(limit.WaitN(ctx, "ann", 1))
	// Output:
	// ann
	// <nil>
}

// A client that keeps to the limit of its server.
func ExampleUnaryClient() {
	limit := ratelimit.NewKeyed[string](ratelimit.Per(100, time.Second), 10)
	conn, err := grpc.NewClient("dns:///example.com:443", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(grpclimit.UnaryClient(limit, grpclimit.ByMethod)),
		grpc.WithStreamInterceptor(grpclimit.StreamClient(limit, grpclimit.ByMethod)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conn.Close())
	// Output: <nil>
}
