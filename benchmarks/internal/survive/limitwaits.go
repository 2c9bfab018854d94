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
)

// limitWaits are the scenarios of callers that wait for permits.
var limitWaits = slices.Concat(
	[]Scenario{{Fault: "FR2", Peer: "xtime", Run: refundInTheMiddle, Contract: "Reservation.CancelAt"}},
	each("FR2", only(limiters, tandem), leaveTheMiddle, nil),
	each("FR10", fronts, cancelledFront, documented{"xtime": "Limiter.WaitN and Reservation.CancelAt"}),
	each("FR15", only(limiters, tandem, "xtime", "failsafe"), toldAtOnce, documented{"failsafe": "RateLimiter.AcquirePermit"}),
	each("FC1", only(limiters, tandem, "xtime", "failsafe"), endedSpendsNothing, nil),
)

// refundInTheMiddle: the second caller in line gives up. The next caller gets its place,
// and no two callers have the same place.
func refundInTheMiddle() error {
	l := rate.NewLimiter(rate.Every(time.Second), 1)
	reserve := func() (delay time.Duration, cancel func()) { r := l.Reserve(); return r.Delay(), r.Cancel }
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

// leaveTheMiddle: the first caller in line gives up. The next caller gets its place.
func leaveTheMiddle(open newLimiter) error {
	l := open(1, 100*time.Millisecond)
	wait := func(ctx context.Context) error { return l.wait(ctx, 1) }
	if err := wait(context.Background()); err != nil {
		return err
	}
	start := time.Now()
	first, leave := context.WithCancel(context.Background())
	defer leave()
	go func() { _ = wait(first) }() // until it leaves
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
	tandem:  func() func(context.Context, int) error { return spent(tandem) },
	"xtime": func() func(context.Context, int) error { return spent("xtime") },
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

// spent returns the method of a limiter that has granted its burst.
func spent(peer string) func(context.Context, int) error {
	l := limiters[peer](20, 100*time.Millisecond)
	l.allowN(20)
	return l.wait
}

// cancelledFront: the caller in front waits for many permits and gives up. The caller
// behind it soon gets the permit that is there.
func cancelledFront(open func() func(context.Context, int) error) error {
	wait := open()
	ctx, cancel := context.WithCancel(context.Background())
	front, behind := make(chan struct{}), make(chan error, 1)
	go func() {
		_ = wait(ctx, 20) // the cause of ctx
		close(front)
	}()
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

// toldAtOnce: a caller that has a minute for permits that take an hour learns so at once,
// and spends nothing.
func toldAtOnce(open newLimiter) error {
	l := open(1, time.Hour)
	if !l.allow() {
		return errors.New("the first permit is denied")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	start := time.Now()
	if l.wait(ctx, 1) == nil {
		return errors.New("a permit an hour too early")
	}
	if d := time.Since(start); d > 0 {
		return fmt.Errorf("it is told after %v", d)
	}
	time.Sleep(time.Hour + time.Second)
	if !l.allow() {
		return errors.New("the permit of the next hour is spent")
	}
	return nil
}

// endedSpendsNothing: a context that has ended before is noticed, and takes nothing.
func endedSpendsNothing(open newLimiter) error {
	for range 20 {
		l := open(1, time.Hour)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if l.wait(ctx, 1) == nil {
			return errors.New("a permit under a context that has ended")
		}
		if !l.allow() {
			return errors.New("there is an error, and the permit is spent")
		}
	}
	return nil
}
