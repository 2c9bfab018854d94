package ratelimit_test

import (
	"context"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/ratelimit"
)

// Every user has a limit.
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

// Each user has the limit of a plan.
func ExampleNewKeyedFunc() {
	limiter := ratelimit.NewKeyedFunc(func(user string) []ratelimit.Window {
		if user == "root" {
			return []ratelimit.Window{{Rate: ratelimit.Unlimited}}
		}
		return []ratelimit.Window{{Rate: ratelimit.Per(len(user), time.Hour), Burst: len(user)}}
	})
	fmt.Println(limiter.AllowN("ann", 3), limiter.AllowN("ann", 1), limiter.AllowN("root", 1000))
	// Output: true false true
}

// A user with the right password gets the burst back.
func ExampleKeyed_Forget() {
	limiter := ratelimit.NewKeyed[string](ratelimit.Per(5, time.Hour), 1)
	fmt.Println(limiter.Allow("ann"), limiter.Allow("ann"))
	limiter.Forget("ann")
	fmt.Println(limiter.Allow("ann"), limiter.Stats().Keys)
	// Output:
	// true false
	// true 1
}

// Memory is bounded, and new users are served however many there are. A user that owes
// more than the others is not forgotten.
func ExampleWithMaxKeys() {
	limiter := ratelimit.NewKeyed[int](ratelimit.Per(1, time.Hour), 10, ratelimit.WithMaxKeys(100))
	limiter.AllowN(-1, 10)
	served := 0
	for user := range 10_000 {
		if limiter.Allow(user) {
			served++
		}
	}
	fmt.Println(served, limiter.Allow(-1), limiter.Stats().Keys)
	// Output: 10000 false 100
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

// A server under load sheds background work first, which may use up to half of the burst.
func Example_loadShedding() {
	all := ratelimit.New(ratelimit.Per(10, time.Hour), 10)
	background := ratelimit.New(ratelimit.Per(5, time.Hour), 5, ratelimit.WithParent(all))
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
