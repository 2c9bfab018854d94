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

// Ten a second and a thousand an hour, granted by both or spent on none.
func ExampleAll() {
	limit := ratelimit.All(
		ratelimit.New(ratelimit.Per(10, time.Second), 10),
		ratelimit.New(ratelimit.Per(1000, time.Hour), 1000),
	)
	granted := 0
	for limit.AllowN(5) {
		granted += 5
	}
	fmt.Println(granted)
	// Output: 10
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

func ExampleLimiter_Stop() {
	limiter := ratelimit.New(ratelimit.Every(time.Hour), 1)
	limiter.Stop()
	fmt.Println(limiter.Allow(), limiter.Wait(context.Background()))
	// Output: false ratelimit: stopped
}
