package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// All permits of a request or none: a request that is denied spends nothing.
func ExampleLimiter_AllowN() {
	limiter := ratelimit.New(ratelimit.Per(1, time.Hour), 10)
	fmt.Println(limiter.AllowN(7), limiter.AllowN(4), limiter.AllowN(3))
	// Output: true false true
}

// A download of 3 MB when 2 MB may go at once, and then one an hour: it can wait for its
// turn, or be put off.
func ExampleLimiter_ReserveN() {
	megabytes := ratelimit.New(ratelimit.Every(time.Hour), 4)
	first := megabytes.ReserveN(2)
	second := megabytes.ReserveN(3)
	fmt.Println(first.Delay(), second.Delay().Round(time.Minute))
	fmt.Println(megabytes.ReserveN(5).OK()) // more than the burst
	// Output:
	// 0s 1h0m0s
	// false
}

// A burst that is made larger can be had at once; one that is made smaller takes
// nothing back.
func ExampleLimiter_SetBurst() {
	limiter := ratelimit.New(ratelimit.Every(time.Hour), 1)
	fmt.Println(limiter.Allow(), limiter.Allow())
	limiter.SetBurst(2)
	fmt.Println(limiter.Allow(), limiter.Allow())
	// Output:
	// true false
	// true false
}

// What will never be granted is told apart from what has to wait.
func ExampleNever() {
	trial := ratelimit.New(ratelimit.Per(0, time.Hour), 1) // one, and no more
	fmt.Println(trial.Take(1).OK)
	fmt.Println(trial.Take(1).RetryAfter == ratelimit.Never)
	fmt.Println(trial.Reserve().Delay() == ratelimit.Never)
	// Output:
	// true
	// true
	// true
}

// A mistake in the numbers is an error at once, not a wait without an end.
func ExampleErrExceedsBurst() {
	limiter := ratelimit.New(ratelimit.Every(time.Second), 10)
	err := limiter.WaitN(context.Background(), 11)
	fmt.Println(errors.Is(err, ratelimit.ErrExceedsBurst))
	// Output: true
}

// Close ends the calls that wait.
func ExampleErrClosed() {
	limiter := ratelimit.New(ratelimit.Every(time.Hour), 1)
	limiter.Allow()
	done := make(chan error)
	go func() { done <- limiter.Wait(context.Background()) }()
	if err := limiter.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(errors.Is(<-done, ratelimit.ErrClosed))
	// Output: true
}

// What an API tells the user of a key: when to come back.
func ExampleKeyed_Take() {
	limiter := ratelimit.NewKeyed[string](ratelimit.Per(24, 24*time.Hour), 3)
	for range 2 {
		d, err := limiter.Take(context.Background(), "ann", 2)
		if err != nil {
			fmt.Println(err) // only that of a context that has ended
			return
		}
		fmt.Println(d.OK, d.Remaining, d.RetryAfter.Round(time.Minute))
	}
	// Output:
	// true 1 0s
	// false 1 1h0m0s
}

// Jobs of one tenant wait for each other, and not for those of another.
func ExampleKeyed_Wait() {
	limiter := ratelimit.NewKeyed[string](ratelimit.Every(time.Millisecond), 1)
	start := time.Now()
	for range 3 {
		if err := limiter.Wait(context.Background(), "ann"); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(time.Since(start) >= 2*time.Millisecond, limiter.Allow("bob"))
	// Output: true true
}

// A deadline that is too early for so many permits is seen at once, and costs
// nothing.
func ExampleKeyed_WaitN() {
	limiter := ratelimit.NewKeyed[string](ratelimit.Every(time.Hour), 3)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(limiter.WaitN(ctx, "ann", 2))
	fmt.Println(errors.Is(limiter.WaitN(ctx, "ann", 2), context.DeadlineExceeded))
	fmt.Println(limiter.WaitN(ctx, "ann", 1))
	// Output:
	// <nil>
	// true
	// <nil>
}
