package redislimit_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/integration/internal/redisserver"
	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patient is longer than any call takes on a busy machine, so that no test falls back
// by chance.
const patient = 30 * time.Second

// connect returns a client of the server at addr, which is closed with the test.
func connect(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// hasty returns a client without retries, so that it soon notices a missing server.
func hasty(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1})
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// server starts a server and returns it with a client.
func server(tb testing.TB, args ...string) (*redisserver.Server, *redis.Client) {
	tb.Helper()
	s := redisserver.Start(tb, args...)
	return s, connect(tb, s.Addr())
}

// take takes n permits of k, and fails the test on an error.
func take(tb testing.TB, l *redislimit.Limiter[string], k string, n int) ratelimit.Decision {
	tb.Helper()
	d, err := l.Take(context.Background(), k, n)
	if err != nil {
		tb.Error(err)
	}
	return d
}

// until waits until ok returns true, and fails the test after half a minute.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patient); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not in %v", what, patient)
		}
	}
}
