package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// Ten requests at once, then a thousand a second.
func Example() {
	limiter := ratelimit.New(ratelimit.Per(1000, time.Second), 10)
	start := time.Now()
	for range 20 {
		if err := limiter.Wait(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		// Make the request here.
	}
	fmt.Println(time.Since(start) >= 10*time.Millisecond)
	// Output: true
}

// A client that never asks more often than its server likes.
type apiClient struct {
	limiter *ratelimit.Limiter
	http    *http.Client
}

func (c *apiClient) get(ctx context.Context, url string) (*http.Response, error) {
	if err := c.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

func Example_apiClient() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	defer server.Close()
	c := &apiClient{limiter: ratelimit.New(ratelimit.Per(100, time.Second), 100), http: server.Client()}
	res, err := c.get(context.Background(), server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.Status)
	// Output: 200 OK
}

// A server that answers what it can and turns the rest away.
func ExampleLimiter_Allow() {
	limiter := ratelimit.New(ratelimit.Per(1, time.Minute), 2)
	for range 3 {
		if limiter.Allow() {
			fmt.Println(http.StatusOK)
		} else {
			fmt.Println(http.StatusTooManyRequests)
		}
	}
	// Output:
	// 200
	// 200
	// 429
}

func ExampleLimiter_Take() {
	limiter := ratelimit.New(ratelimit.Per(1, time.Hour), 5)
	d := limiter.Take(5)
	fmt.Println(d.OK, d.Remaining, d.Limit)
	d = limiter.Take(1)
	fmt.Println(d.OK, d.RetryAfter.Round(time.Minute))
	// Output:
	// true 0 5
	// false 1h0m0s
}

// A deadline that is too early is seen at once.
func ExampleLimiter_Wait() {
	limiter := ratelimit.New(ratelimit.Every(time.Hour), 1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(limiter.Wait(ctx))
	fmt.Println(errors.Is(limiter.Wait(ctx), context.DeadlineExceeded))
	// Output:
	// <nil>
	// true
}

func ExampleLimiter_WaitN() {
	limiter := ratelimit.New(ratelimit.Every(time.Second), 10)
	fmt.Println(limiter.WaitN(context.Background(), 11))
	// Output: ratelimit: more permits than the burst: asked for 11, the burst is 10
}

// A reservation says when; it is given back if that is too late.
func ExampleLimiter_Reserve() {
	limiter := ratelimit.New(ratelimit.Every(time.Hour), 1)
	now, later := limiter.Reserve(), limiter.Reserve()
	fmt.Println(now.Delay(), later.Delay().Round(time.Minute))
	later.Cancel()
	again := limiter.Reserve()
	fmt.Println(again.OK(), again.Delay().Round(time.Minute))
	// Output:
	// 0s 1h0m0s
	// true 1h0m0s
}

// Ten an hour and a hundred a day: permits are granted by both windows or spent on none.
func ExampleWithWindow() {
	limiter := ratelimit.New(ratelimit.Per(10, time.Hour), 10, ratelimit.WithWindow(ratelimit.Per(100, 24*time.Hour), 100))
	granted := 0
	for limiter.AllowN(5) {
		granted += 5
	}
	fmt.Println(granted)
	fmt.Println(limiter)
	// Output:
	// 10
	// 10 per 1h0m0s with a burst of 10, 100 per 24h0m0s with a burst of 100
}

// Each tenant has a limit, and all tenants together have one.
func ExampleWithParent() {
	all := ratelimit.New(ratelimit.Per(1, time.Hour), 5)
	tenants := ratelimit.NewKeyed[string](ratelimit.Per(1, time.Hour), 3, ratelimit.WithParent(all))
	fmt.Println(tenants.AllowN("ann", 3), tenants.AllowN("bob", 3), tenants.AllowN("bob", 2))
	fmt.Println(all.Peek().Remaining)
	// Output:
	// true false true
	// 0
}

// A request to a language model: reserve the estimate, and settle what it has cost.
func ExampleReservation_Settle() {
	tokens := ratelimit.New(ratelimit.Per(100, time.Hour), 10_000)
	r := tokens.ReserveN(4000)
	if err := r.Wait(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tokens.Peek().Remaining)
	fmt.Println(r.Settle(1500) > 2400) // the answer was short; some tokens may have come back by themselves
	fmt.Println(r.Settle(2000))        // and a part of it came late
	// Output:
	// 6000
	// true
	// -500
}

// A reservation is given back if its deadline comes first.
func ExampleReservation_Wait() {
	limiter := ratelimit.New(ratelimit.Every(time.Hour), 1)
	limiter.Allow()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r := limiter.Reserve()
	fmt.Println(errors.Is(r.Wait(ctx), context.DeadlineExceeded))
	again := limiter.Reserve()
	fmt.Println(again.Delay().Round(time.Minute))
	// Output:
	// true
	// 1h0m0s
}

// Answers are charged by size, which is known when they have been sent.
func ExampleLimiter_Charge() {
	kilobytes := ratelimit.New(ratelimit.Per(100, time.Hour), 500)
	fmt.Println(kilobytes.Allow())
	kilobytes.Charge(800) // more than is left
	fmt.Println(kilobytes.Allow(), kilobytes.Peek().RetryAfter.Round(time.Hour))
	// Output:
	// true
	// false 3h0m0s
}

// Peek tells without taking.
func ExampleLimiter_Peek() {
	limiter := ratelimit.New(ratelimit.Per(1, time.Hour), 3)
	limiter.Allow()
	fmt.Println(limiter.Peek().Remaining, limiter.Peek().Remaining)
	// Output: 2 2
}

func ExampleLimiter_Limit() {
	limiter := ratelimit.New(ratelimit.Per(10, time.Second), 5)
	rate, burst := limiter.Limit()
	fmt.Println(rate, burst)
	// Output: 10 per 1s 5
}

func ExampleLimiter_Stats() {
	limiter := ratelimit.New(ratelimit.Per(1, time.Hour), 5)
	limiter.AllowN(3)
	fmt.Println(limiter.Stats())
	// Output: 3 permits owed, 0 waiting, 0 waits
}

// A user buys a larger plan and still owes what was used.
func ExampleKeyed_Set() {
	limiter := ratelimit.NewKeyed[string](ratelimit.Per(10, time.Hour), 10)
	limiter.AllowN("ann", 10)
	limiter.Set("ann", ratelimit.Window{Rate: ratelimit.Per(100, time.Hour), Burst: 100})
	fmt.Println(limiter.Peek("ann").Remaining)
	// Output: 90
}

// Tokens of each user: charged when the cost is known, or reserved and settled.
func ExampleKeyed_Reserve() {
	tokens := ratelimit.NewKeyed[string](ratelimit.Per(1, time.Hour), 1000)
	tokens.Charge("ann", 100)
	r := tokens.Reserve("ann", 500)
	fmt.Println(r.Settle(200), tokens.Peek("ann").Remaining)
	fmt.Println(tokens.Stats())
	// Output:
	// 300 700
	// 1 keys, 0 waiting, 1 granted, 0 denied, 0 waits, 0 evicted, 0 forgotten, 0 shared
}

func ExamplePer() {
	fmt.Println(ratelimit.Per(10, time.Second), "·", ratelimit.Every(time.Minute), "·", ratelimit.Unlimited)
	// Output: 10 per 1s · 1 per 1m0s · unlimited
}

// A limiter of another kind reads what it is to do.
func ExampleRate_Parts() {
	permits, period := ratelimit.Per(420, time.Minute).Parts()
	fmt.Println(permits, "in", period)
	// Output: 7 in 1s
}

// Without WithSpent, the first second would grant twice the rate.
func ExampleWithSpent() {
	limiter := ratelimit.New(ratelimit.Per(10, time.Hour), 10, ratelimit.WithSpent(10))
	fmt.Println(limiter.Allow())
	// Output: false
}

func ExampleLimiter_SetRate() {
	limiter := ratelimit.New(ratelimit.Per(0, time.Second), 1) // closed after the first
	fmt.Println(limiter.Allow(), limiter.Allow())
	limiter.SetRate(ratelimit.Unlimited)
	fmt.Println(limiter.Allow(), limiter.Allow())
	// Output:
	// true false
	// true true
}

func ExampleLimiter_Close() {
	limiter := ratelimit.New(ratelimit.Every(time.Hour), 1)
	if err := limiter.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(limiter.Allow(), limiter.Wait(context.Background()))
	// Output: false ratelimit: limiter closed
}
