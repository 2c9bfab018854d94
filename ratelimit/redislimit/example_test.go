package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/httplimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// Each user may do 10 things a second, whichever machine is asked.
func Example() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[string](client, ratelimit.Per(10, time.Second), 10)
	ok, err := limiter.Allow(context.Background(), "ann")
	fmt.Println(ok, err)
}

// A server limits its clients together with all others of its kind. Those of one
// network are one client.
func Example_http() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[netip.Prefix](client, ratelimit.Per(100, time.Minute), 20,
		redislimit.WithReplicas(4)) // while Redis is away, each of 4 servers grants a quarter
	limit := httplimit.Middleware(limiter, httplimit.ByIP, httplimit.ExposeLimits())
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	fmt.Println(http.ListenAndServe("localhost:8080", limit(hello)))
}

// One key that all ask for costs a round trip for each 50 permits.
func ExampleWithLease() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[string](client, ratelimit.Per(100_000, time.Second), 10_000,
		redislimit.WithLease(50, 20*time.Millisecond))
	for range 1000 {
		if err := limiter.Wait(context.Background(), "all"); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(limiter.Stats().Calls, "calls of Redis")
}

// 10 a second, and 1,000 an hour.
func ExampleWithWindow() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[string](client, ratelimit.Per(10, time.Second), 10,
		redislimit.WithWindow(ratelimit.Per(1000, time.Hour), 1000),
		redislimit.WithPrefix("api:"))
	d, err := limiter.Take(context.Background(), "ann", 5)
	fmt.Println(d.OK, d.Remaining, d.RetryAfter, err)
}

// Each tenant has 10 a second, and all of them together 1,000.
func ExampleWithParent() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[string](client, ratelimit.Per(10, time.Second), 10,
		redislimit.WithPrefix("{api}tenant:"),
		redislimit.WithParent("{api}all", ratelimit.Window{Rate: ratelimit.Per(1000, time.Second), Burst: 1000}))
	fmt.Println(limiter.Allow(context.Background(), "tenant 7"))
}

type user struct {
	name string
	paid bool
}

// MarshalText returns the name of the user's key.
func (u user) MarshalText() ([]byte, error) { return []byte(u.name), nil }

// Those who pay get more.
func ExampleNewFunc() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.NewFunc(client, func(u user) []ratelimit.Window {
		if u.paid {
			return []ratelimit.Window{{Rate: ratelimit.Per(100, time.Second), Burst: 100}}
		}
		return []ratelimit.Window{{Rate: ratelimit.Per(10, time.Second), Burst: 10}}
	})
	d, err := limiter.Take(context.Background(), user{"ann", true}, 5)
	fmt.Println(d.OK, d.Remaining, d.RetryAfter, err)
}

// A tenant has paid: from now on, also for what it has in use, it may do more.
func ExampleLimiter_Set() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[string](client, ratelimit.Per(10, time.Second), 10)
	fmt.Println(limiter.Set(context.Background(), "tenant 7", ratelimit.Window{Rate: ratelimit.Per(100, time.Second), Burst: 100}))
}

// An estimate is reserved, and the real cost is paid when it is known.
func ExampleLimiter_Reserve() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	ctx := context.Background()
	tokens := redislimit.New[string](client, ratelimit.Per(100_000, time.Minute), 100_000)
	r, err := tokens.Reserve(ctx, "ann", 2000)
	if err != nil || !r.OK() {
		fmt.Println("not now:", err)
		return
	}
	fmt.Println("in", r.Delay())
	if err := r.Wait(ctx); err != nil {
		fmt.Println(err) // the tokens are given back
		return
	}
	if err := ask(); err != nil {
		fmt.Println(r.Cancel(ctx))
		return
	}
	fmt.Println(r.Settle(ctx, 1250))
}

func ask() error { return nil }

// Where nothing may pass uncounted, an error says that Redis is away.
func ExampleWithFailurePolicy() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[int](client, ratelimit.Every(time.Minute), 3,
		redislimit.WithFailurePolicy(redislimit.FailClosed), // and not FailLocal, the default, or FailOpen
		redislimit.WithTimeout(20*time.Millisecond),
		redislimit.WithBreaker(5, time.Second))
	_, err := limiter.Take(context.Background(), 4711, 1)
	switch {
	case errors.Is(err, redislimit.ErrUnavailable):
		switch limiter.Stats().Breaker {
		case redislimit.Closed:
			fmt.Println("this call has failed")
		case redislimit.Open, redislimit.HalfOpen:
			fmt.Println("so many have failed that most are spared")
		}
		text, _ := limiter.Stats().Breaker.MarshalText() // as in JSON
		fmt.Printf("the breaker is %s\n", text)
	case errors.Is(err, redislimit.ErrForeign):
		fmt.Println("somebody else uses the key")
	}
}

// A bulk import lets what goes wrong here pass, for up to 10,000 tenants, and one of
// them begins anew.
func ExampleLimiter_Forget() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[string](client, ratelimit.Per(1000, time.Hour), 1000,
		redislimit.WithFailurePolicy(redislimit.FailOpen),
		redislimit.WithMaxKeys(10_000))
	fmt.Println(limiter.Forget(context.Background(), "tenant 7"))
}

// By default each process has its share while Redis is away.
func ExampleWithReplicas() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[string](client, ratelimit.Per(100, time.Second), 100,
		redislimit.WithFailurePolicy(redislimit.FailLocal), redislimit.WithReplicas(4))
	fmt.Println(limiter.Wait(context.Background(), "ann"))
}

// A program looks at its Redis when it starts.
func ExampleLimiter_Check() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[string](client, ratelimit.Per(10, time.Second), 10)
	err := limiter.Check(context.Background())
	switch {
	case errors.Is(err, redislimit.ErrEvicts):
		fmt.Println("set maxmemory-policy to noeviction:", err)
	case errors.Is(err, redislimit.ErrUnavailable):
		fmt.Println("each server decides by itself until Redis answers:", err)
	}
}

// A job that costs 30 permits waits for them, for a minute at most.
func ExampleLimiter_WaitN() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	defer client.Close()
	limiter := redislimit.New[string](client, ratelimit.Per(100, time.Minute), 100)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := limiter.WaitN(ctx, "ann", 30); err != nil {
		fmt.Println(err)
	}
}

// What an answer has cost is charged when it has been sent. Peek tells what is left.
func ExampleLimiter_Charge() {
	client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
	kilobytes := redislimit.New[string](client, ratelimit.Per(100, time.Hour), 500)
	ctx := context.Background()
	if err := kilobytes.Charge(ctx, "ann", 800); err != nil {
		fmt.Println(err)
	}
	d, err := kilobytes.Peek(ctx, "ann")
	fmt.Println(d.OK, d.RetryAfter, err)
}
