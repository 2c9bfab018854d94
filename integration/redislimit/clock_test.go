package redislimit_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/internal/takertest"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// failOver moves the state of a key from one server to another whose clock differs by
// off: a slow clock sees the stored times as that much later, and a fast one as that
// much earlier. Two servers on one machine have one clock, so the test changes the
// stored times.
func failOver(t *testing.T, from, to *redis.Client, key string, off time.Duration) {
	t.Helper()
	ctx := context.Background()
	value, err := from.Get(ctx, key).Result()
	if err != nil {
		t.Fatal(err)
	}
	left, err := from.PTTL(ctx, key).Result()
	if err != nil {
		t.Fatal(err)
	}
	moved := []byte(value) // in the format of take.lua: 9 doubles for each window, two times first, and 3 at the end
	for i := 4; i < len(moved)-24; i += 72 {
		for _, time := range [][]byte{moved[i:], moved[i+8:]} {
			us := math.Float64frombits(binary.LittleEndian.Uint64(time))
			binary.LittleEndian.PutUint64(time, math.Float64bits(us-float64(off.Microseconds())))
		}
	}
	if left -= off; left > 0 { // the expiry is replicated as an instant
		if err := to.Set(ctx, key, moved, left).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// A failover to a server whose clock is 10 s ahead grants at most one burst that was
// not due; a failover to one whose clock is 10 s behind denies for at most the time
// that the burst takes to return.
func TestFaultFailoverToAnotherClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{10 * time.Second, -10 * time.Second} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			tryFailOver(t, off)
		})
		t.Run(off.String()+" and another window", func(t *testing.T) {
			t.Parallel()
			tryFailOver(t, off, redislimit.WithWindow(ratelimit.Every(time.Hour), 1000))
		})
	}
}

func tryFailOver(t *testing.T, off time.Duration, windows ...redislimit.Option) {
	_, one := server(t)
	_, other := server(t)
	const burst, interval = 10, 100 * time.Millisecond // the whole burst returns in a second
	opts := append(windows, redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed))
	before := redislimit.New[string](one, ratelimit.Every(interval), burst, opts...)
	after := redislimit.New[string](other, ratelimit.Every(interval), burst, opts...)
	start := time.Now()
	if !take(t, before, "a", burst).OK {
		t.Fatal("the burst is denied")
	}
	failOver(t, one, other, "tandem:rate:a", off)
	granted := 0
	first := take(t, after, "a", 1)
	if off < 0 && time.Since(start) < -off/2 && (first.OK || first.RetryAfter > interval || first.ResetAfter > 1000*time.Hour) {
		t.Errorf("the clock goes back: %+v", first)
	}
	if first.OK {
		granted = 1
	}
	for time.Since(start) < 2*burst*interval {
		if take(t, after, "a", 1).OK {
			granted++
		}
		age := time.Since(start)
		if due := int((age + takertest.RealClocks(age)) / interval); granted > due+burst {
			t.Fatalf("%d permits in %v, where %d were due and the burst is %d", granted, age, due, burst)
		}
		time.Sleep(time.Millisecond)
	}
	until(t, "a permit is granted", func() bool { return take(t, after, "a", 1).OK })
}

// A key with times far in the future, as after a jump of years, is not blocked: its
// backlog is that at the time of the write.
func TestFaultTheFutureIsNotForEver(t *testing.T) {
	t.Parallel()
	_, client := server(t)
	ctx := context.Background()
	l := redislimit.New[string](client, ratelimit.Every(20*time.Millisecond), 2, redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed))
	take(t, l, "a", 2)
	value, err := client.Get(ctx, "tandem:rate:a").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, time := range [][]byte{value[4:], value[12:]} { // the time of the write, and the end of the backlog
		us := math.Float64frombits(binary.LittleEndian.Uint64(time))
		binary.LittleEndian.PutUint64(time, math.Float64bits(us+20*365*24*3600*1e6))
	}
	if err := client.Set(ctx, "tandem:rate:a", value, 0).Err(); err != nil {
		t.Fatal(err)
	}
	d := take(t, l, "a", 1)
	if d.OK || d.RetryAfter > 20*time.Millisecond || d.ResetAfter > 40*time.Millisecond {
		t.Errorf("%+v", d)
	}
	if left := client.PTTL(ctx, "tandem:rate:a").Val(); left < 0 || left > time.Second {
		t.Errorf("it is kept for %v", left)
	}
	if err := l.Wait(ctx, "a"); err != nil {
		t.Error(err)
	}
}

// When the limits of a key change, its backlog in permits stays the same.
func TestALimitThatChanges(t *testing.T) {
	t.Parallel()
	_, client := server(t)
	start := time.Now()
	owes := func(rate ratelimit.Rate, burst int, opts ...redislimit.Option) time.Duration {
		opts = append(opts, redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed))
		return take(t, redislimit.New[string](client, rate, burst, opts...), "a", burst+1).ResetAfter
	}
	is := func(what string, got, want time.Duration) {
		t.Helper()
		passed := 30 * (time.Since(start) + takertest.RealClocks(time.Since(start))) // of the slowest, what the fastest counts
		if got > want+10*time.Microsecond || got < want-passed {
			t.Errorf("%s: %v is owed, want %v", what, got, want)
		}
	}
	take(t, redislimit.New[string](client, ratelimit.Every(time.Hour), 5, redislimit.WithTimeout(patient)), "a", 3)
	is("as it was", owes(ratelimit.Every(time.Hour), 5), 3*time.Hour)
	is("another burst", owes(ratelimit.Every(time.Hour), 500), 3*time.Hour)
	is("other parts", owes(ratelimit.Per(7, 25*time.Hour), 500), 75*time.Hour/7)
	is("other units", owes(ratelimit.Every(24*time.Hour), 10_000), 72*time.Hour)
	is("one more window", owes(ratelimit.Per(7, 25*time.Hour), 500, redislimit.WithWindow(ratelimit.Every(time.Hour), 9)), 75*time.Hour/7)
	is("a smaller burst", owes(ratelimit.Per(7, 14*time.Hour), 1), 6*time.Hour)
	if got := owes(ratelimit.Per(0, time.Hour), 7); got != ratelimit.Never {
		t.Errorf("a rate of 0: %v", got)
	}
}

// Keys expire in Redis when they have no backlog, and not before.
func TestKeysExpireWhenNothingIsOwed(t *testing.T) {
	t.Parallel()
	_, client := server(t)
	ctx := context.Background()
	l := redislimit.New[string](client, ratelimit.Per(3, 100*time.Millisecond), 3, redislimit.WithTimeout(patient), redislimit.WithFailurePolicy(redislimit.FailClosed),
		redislimit.WithWindow(ratelimit.Per(7, time.Second), 7))
	for i := range 20 {
		k := fmt.Sprint(i)
		d := take(t, l, k, 1+i%3)
		if left := client.PTTL(ctx, "tandem:rate:"+k).Val(); left > d.ResetAfter+3*time.Millisecond {
			t.Errorf("it is kept for %v, and all is back after %v", left, d.ResetAfter)
		}
		for {
			alive := client.Exists(ctx, "tandem:rate:"+k).Val()
			if d := take(t, l, k, 100); d.ResetAfter == 0 {
				break
			} else if alive == 0 {
				t.Fatalf("%v are owed of a key that is gone", d.ResetAfter)
			}
		}
	}
	until(t, "all are gone", func() bool { return client.DBSize(ctx).Val() == 0 })
}
