package redislimit_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/internal/testkit"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

type place struct{}

// C5: what is wrong panics at the call that is wrong.
func TestMisusePanics(t *testing.T) {
	_, client := newFake(t)
	rate := ratelimit.Every(time.Second)
	l := redislimit.New[string](client, rate, 1)
	careless := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { _ = careless.Close() })
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	t.Cleanup(func() { _ = cluster.Close() })
	ring := redis.NewRing(&redis.RingOptions{})
	t.Cleanup(func() { _ = ring.Close() })
	for options, c := range map[string]redis.UniversalClient{"Options": careless, "ClusterOptions": cluster, "RingOptions": ring} {
		text := "redislimit: New: client must respect deadlines: make it with redis." + options + "{ContextTimeoutEnabled: true, …}"
		testkit.Panics(t, map[string]func(){text: func() { redislimit.New[string](c, rate, 1) }})
	}
	for _, fn := range []func(){
		func() { redislimit.New[*place](client, rate, 1) },
		func() { redislimit.New[any](client, rate, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a key without a name is let through")
				}
			}()
			fn()
		}()
	}
	var zero redislimit.Limiter[string]
	for call, fn := range map[string]func(){
		"Allow":   func() { _, _ = zero.Allow(t.Context(), "a") },
		"Take":    func() { _, _ = zero.Take(t.Context(), "a", 1) },
		"Peek":    func() { _, _ = zero.Peek(t.Context(), "a") },
		"Charge":  func() { _ = zero.Charge(t.Context(), "a", 1) },
		"Wait":    func() { _ = zero.Wait(t.Context(), "a") },
		"Reserve": func() { _, _ = zero.Reserve(t.Context(), "a", 1) },
		"Set":     func() { _ = zero.Set(t.Context(), "a", ratelimit.Window{Rate: rate, Burst: 1}) },
		"Forget":  func() { _ = zero.Forget(t.Context(), "a") },
		"Check":   func() { _ = zero.Check(t.Context()) },
		"Stats":   func() { zero.Stats() },
	} {
		testkit.Panics(t, map[string]func(){"redislimit: " + call + ": the zero Limiter is not usable, make one with New or NewFunc": fn})
	}
	testkit.Panics(t, map[string]func(){
		"redislimit: New: client must not be nil": func() { redislimit.New[string](nil, rate, 1) },
		"redislimit: NewFunc: client must not be nil": func() {
			var client *redis.Client // never made
			redislimit.NewFunc(client, func(string) []ratelimit.Window { return nil })
		},
		"redislimit: New: burst must not be negative, got -1":                                                                                             func() { redislimit.New[string](client, rate, -1) },
		"redislimit: New: the zero Rate is not usable, make one with ratelimit.Per or ratelimit.Every":                                                    func() { redislimit.New[string](client, ratelimit.Rate{}, 1) },
		"redislimit: New: keys must be strings, integers, booleans or values of a type that implements encoding.TextMarshaler, got redislimit_test.place": func() { redislimit.New[place](client, rate, 1) },
		"redislimit: New: keys must be strings, integers, booleans or values of a type that implements encoding.TextMarshaler, got float64":               func() { redislimit.New[float64](client, rate, 1) },
		"redislimit: NewFunc: burst must not be negative, got -2": func() {
			l := redislimit.NewFunc(client, func(string) []ratelimit.Window { return []ratelimit.Window{{Rate: rate, Burst: -2}} })
			_, _ = l.Allow(t.Context(), "a")
		},
		"redislimit: NewFunc: number of windows must be at least 1, got 0": func() {
			l := redislimit.NewFunc(client, func(string) []ratelimit.Window { return nil })
			_, _ = l.Allow(t.Context(), "a")
		},
		"redislimit: NewFunc: function must not be nil":                                          func() { redislimit.NewFunc[string](client, nil) },
		"redislimit: WithParent: number of windows must be at least 1, got 0":                    func() { redislimit.WithParent("all") },
		"redislimit: WithParent: burst must not be negative, got -1":                             func() { redislimit.WithParent("all", ratelimit.Window{Rate: rate, Burst: -1}) },
		"redislimit: Set: number of windows must be at least 1, got 0":                           func() { _ = l.Set(t.Context(), "a") },
		"redislimit: Set: context must not be nil":                                               func() { _ = l.Set(nil, "a", ratelimit.Window{Rate: rate}) }, //lint:ignore SA1012 it is to panic
		"redislimit: Reserve: context must not be nil":                                           func() { _, _ = l.Reserve(nil, "a", 1) },                     //lint:ignore SA1012 it is to panic
		"redislimit: Reserve: number must be at least 1, got 0":                                  func() { _, _ = l.Reserve(t.Context(), "a", 0) },
		"redislimit: Settle: number must not be negative, got -1":                                func() { _, _ = new(redislimit.Reservation).Settle(t.Context(), -1) },
		"redislimit: WithWindow: burst must not be negative, got -1":                             func() { redislimit.WithWindow(rate, -1) },
		"redislimit: WithTimeout: duration must be at least 1ns, got 0s":                         func() { redislimit.WithTimeout(0) },
		"redislimit: WithBreaker: number must be at least 1, got 0":                              func() { redislimit.WithBreaker(0, 1) },
		"redislimit: WithBreaker: duration must be at least 1ns, got -1ns":                       func() { redislimit.WithBreaker(1, -1) },
		"redislimit: WithReplicas: number must be at least 1, got 0":                             func() { redislimit.WithReplicas(0) },
		"redislimit: WithMaxKeys: number must be at least 1, got 0":                              func() { redislimit.WithMaxKeys(0) },
		"redislimit: WithLease: number must be at least 1, got 0":                                func() { redislimit.WithLease(0, 1) },
		"redislimit: WithLease: duration must be at least 1ns, got 0s":                           func() { redislimit.WithLease(1, 0) },
		"redislimit: WithFailurePolicy: policy must be FailLocal, FailOpen or FailClosed, got 7": func() { redislimit.WithFailurePolicy(7) },
		"redislimit: Take: context must not be nil":                                              func() { _, _ = l.Take(nil, "a", 1) }, //lint:ignore SA1012 it is to panic
		"redislimit: Allow: context must not be nil":                                             func() { _, _ = l.Allow(nil, "a") },   //lint:ignore SA1012 it is to panic
		"redislimit: Wait: context must not be nil":                                              func() { _ = l.Wait(nil, "a") },       //lint:ignore SA1012 it is to panic
		"redislimit: Forget: context must not be nil":                                            func() { _ = l.Forget(nil, "a") },     //lint:ignore SA1012 it is to panic
		"redislimit: Take: number must be at least 1, got 0":                                     func() { _, _ = l.Take(t.Context(), "a", 0) },
	})
}

type (
	name   string
	number uint8
	flag   bool
)

// A spot is a key that says what it is called.
type spot struct{ x, y int }

func (s spot) MarshalText() ([]byte, error) { return []byte{byte('a' + s.x), '/'}, nil }

// What a key is called in Redis.
func TestKeysHaveNames(t *testing.T) {
	f, client := newFake(t)
	rate := ratelimit.Every(time.Hour)
	p := redislimit.WithPrefix("p:")
	try := func(ask func() (bool, error), want string) {
		t.Helper()
		if ok, err := ask(); !ok || err != nil || f.keys[want] == "" || len(f.keys) != 1 {
			t.Errorf("%v, %v: the keys are %v, want %q", ok, err, f.keys, want)
		}
		clear(f.keys)
	}
	ctx := t.Context()
	try(func() (bool, error) { return redislimit.New[string](client, rate, 1).Allow(ctx, "a b") }, "tandem:rate:a b")
	try(func() (bool, error) { return redislimit.New[name](client, rate, 1, p).Allow(ctx, "a") }, "p:a")
	try(func() (bool, error) { return redislimit.New[int64](client, rate, 1, p).Allow(ctx, -1<<63) }, "p:-9223372036854775808")
	try(func() (bool, error) { return redislimit.New[number](client, rate, 1, p).Allow(ctx, 255) }, "p:255")
	try(func() (bool, error) { return redislimit.New[flag](client, rate, 1, p).Allow(ctx, true) }, "p:true")
	try(func() (bool, error) {
		return redislimit.New[netip.Addr](client, rate, 1, p).Allow(ctx, netip.MustParseAddr("2001:db8::1"))
	}, "p:2001:db8::1")
	try(func() (bool, error) {
		return redislimit.New[spot](client, rate, 1, p).Allow(ctx, spot{2, 3})
	}, "p:c/")
}
