package survive

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/tandemgo/tandem/ratelimit"
)

// limitWaits are the scenarios of callers that wait for permits.
var limitWaits = slices.Concat(
	each("FR2", refunders, refundInTheMiddle, documented{"xtime": "Reservation.CancelAt"}),
	each("FR2", lines, leaveTheMiddle, nil),
	each("FR10", fronts, cancelledFront, documented{"xtime": "Limiter.WaitN and Reservation.CancelAt"}),
	each("FR15", slowWaits, toldAtOnce, documented{"failsafe": "RateLimiter.AcquirePermit"}),
	each("FC1", slowWaits, endedSpendsNothing, nil),
)

// A refunder is a limiter of one permit each second, and no more at once.
type refunder func() (reserve func() (delay time.Duration, cancel func()))

var refunders = map[string]refunder{
	"xtime": func() func() (time.Duration, func()) {
		l := rate.NewLimiter(rate.Every(time.Second), 1)
		return func() (time.Duration, func()) { r := l.Reserve(); return r.Delay(), r.Cancel }
	},
}

// refundInTheMiddle: the second caller in line gives up. The next caller gets its place,
// and no two callers have the same place.
func refundInTheMiddle(open refunder) error {
	reserve := open()
	reserve() // now
	second, cancel := reserve()
	third, _ := reserve()
	fourth, _ := reserve()
	cancel()
	next, _ := reserve()
	at := []time.Duration{0, third, fourth, next}
	slices.Sort(at)
	for i := range at[1:] {
		if at[i+1]-at[i] < time.Second {
			return fmt.Errorf("permits are due at %v", at)
		}
	}
	if next > second {
		return fmt.Errorf("the place at %v is lost, the next one is at %v", second, next)
	}
	return nil
}

// lines are limiters with a line of callers that wait, of one permit each 100 ms.
var lines = map[string]func() (wait func(context.Context) error){
	tandem: func() func(context.Context) error {
		return ratelimit.New(ratelimit.Every(100*time.Millisecond), 1).Wait
	},
}

// leaveTheMiddle: the first caller in line gives up. The next caller gets its place.
func leaveTheMiddle(open func() func(context.Context) error) error {
	wait := open()
	if err := wait(context.Background()); err != nil {
		return err
	}
	start := time.Now()
	first, leave := context.WithCancel(context.Background())
	defer leave()
	go wait(first)
	time.Sleep(20 * time.Millisecond)
	next := make(chan error, 1)
	go func() { next <- wait(context.Background()) }()
	time.Sleep(20 * time.Millisecond)
	leave()
	if err := <-next; err != nil {
		return err
	}
	if at := time.Since(start); at > 190*time.Millisecond {
		return fmt.Errorf("the place at 100ms is lost, the next one is at %v", at)
	}
	return nil
}

// fronts have nothing to grant now, and something in a tenth of a second. The
// semaphore has one permit left, for the caller in front.
var fronts = map[string]func() (wait func(context.Context, int) error){
	tandem: func() func(context.Context, int) error {
		return ratelimit.New(ratelimit.Every(100*time.Millisecond), 20, ratelimit.WithSpent(20)).WaitN
	},
	"xtime": func() func(context.Context, int) error {
		l := rate.NewLimiter(rate.Every(100*time.Millisecond), 20)
		l.AllowN(time.Now(), 20)
		return l.WaitN
	},
	"failsafe": func() func(context.Context, int) error {
		l := ratelimiter.NewSmoothWithMaxRate[any](100 * time.Millisecond)
		l.TryAcquirePermit()
		return func(ctx context.Context, n int) error { return l.AcquirePermits(ctx, uint(n)) }
	},
	"semaphore": func() func(context.Context, int) error {
		s := semaphore.NewWeighted(20)
		_ = s.Acquire(context.Background(), 19)
		return func(ctx context.Context, n int) error { return s.Acquire(ctx, int64(n)) }
	},
}

// cancelledFront: the caller in front waits for many permits and gives up. The caller
// behind it soon gets the permit that is there.
func cancelledFront(open func() func(context.Context, int) error) error {
	wait := open()
	ctx, cancel := context.WithCancel(context.Background())
	front, behind := make(chan error, 1), make(chan error, 1)
	go func() { front <- wait(ctx, 20) }()
	synctest.Wait()
	start := time.Now()
	go func() { behind <- wait(context.Background(), 1) }()
	synctest.Wait()
	cancel()
	<-front
	if err := <-behind; err != nil {
		return err
	}
	if d := time.Since(start); d > time.Second {
		return fmt.Errorf("one that is due in 0.1 s is granted after %v", d.Round(100*time.Millisecond))
	}
	return nil
}

// A slowWait is a limiter of one permit each hour, and no more at once.
type slowWait func() (wait func(context.Context) error, allow func() bool)

var slowWaits = map[string]slowWait{
	tandem: func() (func(context.Context) error, func() bool) {
		l := ratelimit.New(ratelimit.Every(time.Hour), 1)
		return l.Wait, l.Allow
	},
	"xtime": func() (func(context.Context) error, func() bool) {
		l := rate.NewLimiter(rate.Every(time.Hour), 1)
		return l.Wait, l.Allow
	},
	"failsafe": func() (func(context.Context) error, func() bool) {
		l := ratelimiter.NewBursty[any](1, time.Hour)
		return l.AcquirePermit, l.TryAcquirePermit
	},
}

// toldAtOnce: a caller that has a minute for permits that take an hour learns so at once,
// and spends nothing.
func toldAtOnce(open slowWait) error {
	wait, allow := open()
	if !allow() {
		return errors.New("the first permit is denied")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	start := time.Now()
	if wait(ctx) == nil {
		return errors.New("a permit an hour too early")
	}
	if d := time.Since(start); d > 0 {
		return fmt.Errorf("it is told after %v", d)
	}
	time.Sleep(time.Hour + time.Second)
	if !allow() {
		return errors.New("the permit of the next hour is spent")
	}
	return nil
}

// endedSpendsNothing: a context that has ended before is noticed, and takes nothing.
func endedSpendsNothing(open slowWait) error {
	for range 20 {
		wait, allow := open()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if wait(ctx) == nil {
			return errors.New("a permit under a context that has ended")
		}
		if !allow() {
			return errors.New("there is an error, and the permit is spent")
		}
	}
	return nil
}
