package ratelimit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/ratelimit"
)

// Every user has a limit of his own.
func ExampleKeyed() {
	limiter := ratelimit.NewKeyed[string](ratelimit.Per(1, time.Hour), 2)
	for _, user := range []string{"ann", "ann", "ann", "bob"} {
		fmt.Println(user, limiter.Allow(user))
	}
	// Output:
	// ann true
	// ann true
	// ann false
	// bob true
}

// Those who pay may do more.
func ExampleWithLimits() {
	limiter := ratelimit.NewKeyed[string](ratelimit.Per(1, time.Hour), 1,
		ratelimit.WithLimits(func(user string) (ratelimit.Rate, int) {
			if user == "root" {
				return ratelimit.Unlimited, 0
			}
			return ratelimit.Per(len(user), time.Hour), len(user)
		}))
	fmt.Println(limiter.AllowN("ann", 3), limiter.AllowN("ann", 1), limiter.AllowN("root", 1000))
	// Output: true false true
}

// What is known to be good starts afresh.
func ExampleKeyed_Forget() {
	limiter := ratelimit.NewKeyed[string](ratelimit.Per(5, time.Hour), 1)
	fmt.Println(limiter.Allow("ann"), limiter.Allow("ann"))
	limiter.Forget("ann") // she has entered the right password
	fmt.Println(limiter.Allow("ann"), limiter.Stats().Keys)
	// Output:
	// true false
	// true 1
}

// However many keys there are, memory is bounded, and nobody gets rid of what is
// owed by making others up.
func ExampleWithMaxKeys() {
	limiter := ratelimit.NewKeyed[int](ratelimit.Per(1, time.Hour), 1, ratelimit.WithMaxKeys(100))
	limiter.Allow(-1)
	for made := range 10_000 {
		limiter.Allow(made)
	}
	fmt.Println(limiter.Allow(-1), limiter.Stats().Keys)
	// Output: false 100
}

// A limiter that machines share can be a Taker too.
func ExampleTaker() {
	var limit ratelimit.Taker[string] = ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 3)
	d, err := limit.Take(context.Background(), "ann", 2)
	fmt.Println(d.OK, d.Remaining, d.Limit, err)
	// Output: true 1 3 <nil>
}

// A pipeline that goes no faster than the service that it feeds.
func Example_pacing() {
	limiter := ratelimit.New(ratelimit.Per(1000, time.Second), 1)
	paced := pipeline.Then(
		pipeline.Throttle[int](limiter.Wait),
		pipeline.Map(func(_ context.Context, n int) (string, error) { return fmt.Sprint("item ", n), nil }))
	start := time.Now()
	out, err := paced.Collect(context.Background(), pipeline.Values(1, 2, 3, 4, 5))
	fmt.Println(out, err, time.Since(start) >= 4*time.Millisecond)
	// Output: [item 1 item 2 item 3 item 4 item 5] <nil> true
}

// A server under load does what matters and sheds the rest: background work may
// use up to half of the burst only.
func Example_loadShedding() {
	all := ratelimit.New(ratelimit.Per(10, time.Hour), 10)
	background := ratelimit.All(all, ratelimit.New(ratelimit.Per(5, time.Hour), 5))
	shed := 0
	for range 20 {
		if !background.Allow() {
			shed++
		}
	}
	fmt.Println("background work shed:", shed)
	served := 0
	for range 20 {
		if all.Allow() {
			served++
		}
	}
	fmt.Println("requests served:", served)
	// Output:
	// background work shed: 15
	// requests served: 5
}
