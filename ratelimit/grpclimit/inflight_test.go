package grpclimit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tandemgo/tandem/inflight"
	"github.com/tandemgo/tandem/ratelimit/grpclimit"
)

// A server without room answers UNAVAILABLE and says when to come back; one with room serves.
func TestInFlightServer(t *testing.T) {
	l := inflight.New(1)
	c := dial(t, []grpc.ServerOption{
		grpc.UnaryInterceptor(grpclimit.InFlightUnaryServer(l, 3*time.Second)),
		grpc.StreamInterceptor(grpclimit.InFlightStreamServer(l, 3*time.Second)),
	})
	if err := check(t.Context(), c); err != nil {
		t.Error(err)
	}
	p, ok := l.TryAcquire(1)
	if !ok {
		t.Fatal(l.Stats())
	}
	for name, err := range map[string]error{"unary": check(t.Context(), c), "stream": watch(t.Context(), c)} {
		s := status.Convert(err)
		if s.Code() != codes.Unavailable || len(s.Details()) != 1 || s.Details()[0].(*errdetails.RetryInfo).GetRetryDelay().AsDuration() != 3*time.Second {
			t.Errorf("%s: %v, %v", name, s.Code(), s.Details())
		}
	}
	p.Release(inflight.Success)
	if err := watch(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// What a call tells an adaptive limiter.
func TestInFlightOutcomes(t *testing.T) {
	for code, want := range map[codes.Code]int{
		codes.OK: 100, codes.NotFound: 100, codes.Canceled: 100,
		codes.DeadlineExceeded: 90, codes.ResourceExhausted: 90, codes.Unavailable: 90,
	} {
		for name, call := range map[string]func(l *inflight.Limiter) error{
			"unary server": func(l *inflight.Limiter) error {
				_, err := grpclimit.InFlightUnaryServer(l, 0)(t.Context(), nil, nil, func(context.Context, any) (any, error) {
					return nil, status.Error(code, "")
				})
				return err
			},
			"stream server": func(l *inflight.Limiter) error {
				return grpclimit.InFlightStreamServer(l, 0)(nil, nil, nil, func(any, grpc.ServerStream) error { return status.Error(code, "") })
			},
			"unary client": func(l *inflight.Limiter) error {
				return grpclimit.InFlightUnaryClient(l)(t.Context(), "", nil, nil, nil,
					func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
						return status.Error(code, "")
					})
			},
		} {
			l := inflight.NewAdaptive(1, 1000, inflight.AIMD(0))
			l.SetLimit(100)
			if err := call(l); status.Code(err) != code {
				t.Errorf("%s, %v: %v", name, code, err)
			}
			if st := l.Stats(); st.Limit != want || st.InFlight != 0 {
				t.Errorf("%s, %v: %v", name, code, st)
			}
		}
	}
}

// A client waits for its turn until the context of the call ends.
func TestInFlightClientWaits(t *testing.T) {
	l := inflight.New(1)
	c := dial(t, nil, grpc.WithUnaryInterceptor(grpclimit.InFlightUnaryClient(l)))
	if err := check(t.Context(), c); err != nil {
		t.Error(err)
	}
	p, _ := l.TryAcquire(1)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() { ended <- check(ctx, c) }()
	for l.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	cancel(errors.New("enough"))
	if code := status.Code(<-ended); code != codes.Canceled {
		t.Error(code)
	}
	p.Release(inflight.Success)
	if st := l.Stats(); st.InFlight != 0 {
		t.Error(st)
	}
}

func TestInFlightMisusePanics(t *testing.T) {
	for want, call := range map[string]func(){
		"grpclimit: InFlightUnaryServer: limiter must not be nil":               func() { grpclimit.InFlightUnaryServer(nil, 0) },
		"grpclimit: InFlightStreamServer: pause must not be negative, got -1ns": func() { grpclimit.InFlightStreamServer(inflight.New(1), -1) },
		"grpclimit: InFlightUnaryClient: limiter must not be nil":               func() { grpclimit.InFlightUnaryClient(nil) },
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

// A server that learns how many calls it can serve at once.
func ExampleInFlightUnaryServer() {
	l := inflight.NewAdaptive(1, 1000, inflight.Gradient())
	server := grpc.NewServer(
		grpc.UnaryInterceptor(grpclimit.InFlightUnaryServer(l, time.Second)),
		grpc.StreamInterceptor(grpclimit.InFlightStreamServer(inflight.New(100), time.Second)),
	)
	defer server.Stop()
	fmt.Println(l.Limit())
	// Output: 1
}

// A client that has no more than eight calls in flight.
func ExampleInFlightUnaryClient() {
	conn, err := grpc.NewClient("dns:///example.com:443", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(grpclimit.InFlightUnaryClient(inflight.New(8))))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(conn.Close())
	// Output: <nil>
}
