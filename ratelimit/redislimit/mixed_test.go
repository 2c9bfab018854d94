package redislimit

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/ratelimit"
)

// A clocked is a server on a clock of its own, by which keys expire.
type clocked struct {
	t       *testing.T
	client  *redis.Client
	script  *redis.Script
	us      int64
	expires map[string]int64
}

func newClocked(t *testing.T) *clocked {
	t.Helper()
	return &clocked{t, serve(t), withClock(t), 1_800_000_000_000_000, map[string]int64{}}
}

// take runs the script for a process whose limits are p.
func (c *clocked) take(key string, p *limits, what claim, more uint64) (reply, ticket) {
	c.t.Helper()
	ctx := context.Background()
	if at, ok := c.expires[key]; ok && c.us >= at {
		c.client.Del(ctx, key)
		delete(c.expires, key)
	}
	if err := c.client.MSet(ctx, "seconds", c.us/1e6, "micros", c.us%1e6, "expires", 0).Err(); err != nil {
		c.t.Fatal(err)
	}
	l := &Limiter[string]{client: c.client, name: func(k string) string { return k }}
	if p.parent != nil {
		l.parentKey, l.parent = "parent", p.parent
	}
	old := script
	script = c.script
	r, err := l.call(ctx, key, p, p.request(what, more))
	script = old
	if err != nil {
		c.t.Fatal(err)
	}
	if ms, err := c.client.Get(ctx, "expires").Int64(); ms > 0 && err == nil {
		c.expires[key] = c.us + ms*1000
	} else if r.ok {
		delete(c.expires, key) // it stays
	}
	return r, ticket{n: what.n, debts: r.debts, mark: r.mark}
}

// back gives permits back, and returns how many that were.
func (c *clocked) back(key string, p *limits, x ticket, n uint64) uint64 {
	c.t.Helper()
	mark := slices.Clone(x.mark)
	for i := 3; i < len(mark) && n == x.n; i += 4 {
		mark[i] = 1
	}
	r, _ := c.take(key, p, claim{n: n, op: opSettle, mark: mark}, 0)
	return r.more
}

func (c *clocked) decide(key string, p *limits, n uint64) ratelimit.Decision {
	c.t.Helper()
	r, _ := c.take(key, p, claim{n: n}, 0)
	return p.decision(r.ok, r.debts, 0, n)
}

// of returns limits with the windows, also with such as New rejects.
func of(said ...limit) *limits {
	var windows []window
	for _, x := range said {
		if w := newWindow(x.Rate, uint64(x.Burst)); !slices.Contains(windows, w) {
			windows = append(windows, w)
		}
	}
	return limitsOf(windows, nil)
}

type limit = ratelimit.Window

func per(n int, d time.Duration, burst int) limit {
	return limit{Rate: ratelimit.Per(n, d), Burst: burst}
}

func (p *limits) text() string {
	var s []string
	for i := range p.windows {
		w := &p.windows[i]
		s = append(s, fmt.Sprintf("%v µs, %d at once", w.microseconds(w.step).FloatString(3), w.burst))
	}
	return strings.Join(s, " and ")
}

// mixes are limits of which any may be replaced by any other.
var mixes = [][]limit{
	{per(10, time.Second, 20)},
	{per(100, time.Second, 20)},
	{per(1, time.Second, 20)},
	{per(10, time.Second, 200)},
	{per(10, time.Second, 2)},
	{per(100, time.Second, 200)},
	{per(100, time.Second, 2)},
	{per(1, time.Second, 200)},
	{per(7, time.Second, 20)},
	{per(1000, 3*time.Second, 33)},
	{per(0, time.Second, 20)},
	{per(10, time.Second, 1)},
	{per(1000, time.Hour, 1000)},
	{per(10, time.Second, 20), per(20, time.Hour, 20)},
	{per(20, time.Hour, 20), per(10, time.Second, 20)}, // in another order
	{per(100, time.Second, 20), per(30, time.Hour, 30)},
	{per(20, time.Second, 20), per(200, time.Minute, 100), per(0, time.Hour, 500)},
}

// A grantAt is permits that may be used from an instant on.
type grantAt struct{ us, n int64 }

// checkMix fails the test if a window of time holds more than the most generous of some
// limits grants in it, and its burst once more. Of limits of one window not even that, if
// nobody waits: of a caller that waits, the others know when it has asked, and not when it
// gets its permits. If windows are set, those that are not among them forget, so the burst
// that comes once more is the largest of all.
func checkMix(t *testing.T, name string, grants []grantAt, mix [][]limit, waits, set bool) {
	t.Helper()
	single, maxBurst := true, 0
	for _, ws := range mix {
		single = single && len(ws) == 1
		maxBurst = max(maxBurst, ws[0].Burst)
	}
	if waits {
		maxBurst *= 2
	}
	for i, first := range grants {
		sum := int64(0)
		for _, g := range grants[i:] {
			sum += g.n
			length := g.us - first.us
			fits := false
			for _, ws := range mix {
				all, least := true, ws[0].Burst
				for _, w := range ws {
					least = min(least, w.Burst)
				}
				if set {
					least = maxBurst
				}
				for _, w := range ws {
					n, d := w.Rate.Parts()
					burst := w.Burst + least
					if single {
						burst = maxBurst
					}
					all = all && (sum-int64(burst))*d.Microseconds() <= int64(n)*length
				}
				fits = fits || all
			}
			if !fits {
				t.Fatalf("%s: %d permits in %d µs", name, sum, length)
			}
		}
	}
}

// A waits is a ticket, and when its permits are due.
type waits struct {
	ticket
	p   *limits
	due int64
}

func sum(open []waits) (n uint64) {
	for _, x := range open {
		n += x.n
	}
	return n
}

// R1: processes whose limits differ, as while a limit is rolled out, grant together no more
// than the most generous of them: whatever two or three limits they have, with leases and
// without, when they wait and give back, when keys expire, when one of the limits is set for
// all, and below a parent.
func TestR1AnyMixOfLimits(t *testing.T) {
	c := newClocked(t)
	var tries [][]int
	for i := range mixes {
		for j := range i {
			tries = append(tries, []int{i, j})
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		tries = append(tries, rnd.Perm(len(mixes))[:3])
	}
	const plain, waiting, setting, below, seeds = 0, 1, 2, 3, 4
	all := per(15, time.Second, 30)
	granted, waited, returned, leased, sets := 0, 0, 0, 0, 0
	for _, try := range tries {
		var mix [][]limit
		var ps []*limits
		mostBurst := uint64(0)
		for _, i := range try {
			mostBurst = max(mostBurst, uint64(mixes[i][0].Burst))
			mix = append(mix, mixes[i])
			ps = append(ps, of(mixes[i]...))
		}
		for seed := range uint64(seeds) {
			if seed >= setting && (try[0]+try[1])%2 == 0 {
				continue
			}
			name := fmt.Sprint("limits ", try, ", seed ", seed)
			rnd := rand.New(rand.NewPCG(seed, uint64(try[0]*100+try[1])))
			var grants []grantAt
			var open []waits // that wait, with no more permits together than the largest burst
			ps := slices.Clone(ps)
			for i := range ps {
				if seed == below {
					ps[i] = limitsOf(ps[i].windows, of(all))
				}
			}
			c.client.Del(t.Context(), "parent")
			for range 120 {
				switch rnd.IntN(40) {
				case 0:
					c.us += rnd.Int64N(1 << rnd.IntN(34))
				case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
					c.us += rnd.Int64N(1 << rnd.IntN(24))
				}
				p := ps[rnd.IntN(len(ps))]
				if seed == setting && rnd.IntN(20) == 0 {
					c.take(name, p, claim{op: opSet}, 0)
					sets++
				}
				what := claim{n: 1}
				if rnd.IntN(2) == 0 {
					what.n += rnd.Uint64N(p.burst)
				}
				more := uint64(0)
				switch rnd.IntN(4) {
				case 0:
					more = rnd.Uint64N(p.burst)
				case 1:
					open = slices.DeleteFunc(open, func(x waits) bool { return x.due <= c.us })
					if owed := what.n + sum(open); seed != waiting || owed > mostBurst {
						break
					}
					what.wait = time.Duration(rnd.Int64N(1 << rnd.IntN(36)))
				}
				r, x := c.take(name, p, what, more)
				if seed == below {
					delete(c.expires, name) // that was the parent's time
				}
				if !r.ok {
					continue
				}
				granted++
				leased += int(r.more)
				due := c.us + int64(r.limits.late(r.debts)/time.Microsecond)
				grants = append(grants, grantAt{due, int64(what.n + r.more)})
				if due > c.us {
					waited++
					open = append(open, waits{x, p, due})
				}
				if len(open) > 0 && rnd.IntN(3) == 0 {
					if x := open[len(open)-1]; c.back(name, x.p, x.ticket, x.n) == x.n {
						returned++
						open = open[:len(open)-1]
						grants = grants[:len(grants)-1] // nothing was granted since
					}
				}
			}
			slices.SortFunc(grants, func(a, b grantAt) int { return cmp.Compare(a.us, b.us) })
			checkMix(t, name, grants, mix, seed == waiting, seed == setting)
			if seed == below {
				checkMix(t, name+", of the parent", grants, [][]limit{{all}}, false, false)
			}
		}
	}
	t.Logf("%d mixes: %d grants, %d for later, %d given back, %d permits leased, %d sets", len(tries), granted, waited, returned, leased, sets)
	if granted < 6000 || waited < 200 || returned < 50 || leased < 6000 || sets < 300 {
		t.Error("too little was tried")
	}
}

// R1: a key owes as many permits after a change of its limit as before, whatever changes.
func TestR1DebtIsKeptInPermits(t *testing.T) {
	c := newClocked(t)
	const never = ratelimit.Never
	for i, x := range []struct {
		old       []limit
		spent     uint64
		after     time.Duration
		new       []limit
		remaining int
		retry     time.Duration // of a permit, 0 if it is granted
		reset     time.Duration
	}{
		{[]limit{per(10, time.Hour, 10)}, 4, 0, []limit{per(100, time.Hour, 10)}, 6, 0, 4 * 36 * time.Second},
		{[]limit{per(10, time.Second, 10)}, 10, 0, []limit{per(1, time.Second, 10)}, 0, time.Second, 10 * time.Second},
		{[]limit{per(1, time.Second, 10)}, 10, 0, []limit{per(10, time.Second, 10)}, 0, 100 * time.Millisecond, time.Second},
		{[]limit{per(10, time.Second, 10)}, 10, 500 * time.Millisecond, []limit{per(1, time.Second, 10)}, 5, 0, 5 * time.Second}, // what has come back has
		{[]limit{per(10, time.Second, 10)}, 10, 550 * time.Millisecond, []limit{per(1, time.Second, 10)}, 5, 0, 4500 * time.Millisecond},
		{[]limit{per(10, time.Second, 10)}, 10, 0, []limit{per(10, time.Second, 5)}, 0, 600 * time.Millisecond, time.Second},
		{[]limit{per(10, time.Second, 10)}, 10, 0, []limit{per(10, time.Second, 100)}, 90, 0, time.Second},
		{[]limit{per(10, time.Second, 10)}, 10, time.Second, []limit{per(1, time.Hour, 10)}, 10, 0, 0},
		{[]limit{per(0, time.Second, 10)}, 4, time.Hour, []limit{per(10, time.Second, 10)}, 6, 0, 400 * time.Millisecond},
		{[]limit{per(10, time.Second, 10)}, 4, 0, []limit{per(0, time.Second, 10)}, 6, 0, never},
		{[]limit{per(10, time.Second, 10)}, 10, 0, []limit{per(0, time.Second, 10)}, 0, never, never},
		{[]limit{per(0, time.Second, 10)}, 4, 0, []limit{per(0, time.Hour, 5)}, 1, 0, never},
		{[]limit{per(10, time.Second, 10)}, 4, 0, []limit{per(10, time.Second, 10), per(20, time.Hour, 20)}, 6, 0, 400 * time.Millisecond},
		{[]limit{per(10, time.Second, 10), per(20, time.Hour, 20)}, 8, time.Second, []limit{per(10, time.Second, 10)}, 10, 0, 0},
		{[]limit{per(10, time.Second, 10), per(20, time.Hour, 20)}, 10, time.Second, []limit{per(20, time.Second, 10), per(40, time.Hour, 20)}, 10, 0, 10*90*time.Second - 500*time.Millisecond},
		{[]limit{per(10, time.Second, 10), per(20, time.Hour, 20)}, 10, time.Second, []limit{per(10, time.Hour, 20), per(5, time.Second, 10)}, 10, 0, 10*360*time.Second - 2*time.Second},
		{[]limit{per(10, time.Second, 10)}, 4, 0, []limit{per(1, time.Second, 10), per(1, time.Hour, 10)}, 6, 0, 4 * time.Hour},
		{[]limit{per(1, time.Hour, 5)}, 3, 0, []limit{per(7, 25*time.Hour, 500)}, 497, 0, 75 * time.Hour / 7},
	} {
		key := fmt.Sprint("table", i)
		old, is := of(x.old...), of(x.new...)
		if !c.decide(key, old, x.spent).OK {
			t.Fatalf("%d: %d are denied", i, x.spent)
		}
		c.us += x.after.Microseconds()
		d := c.decide(key, is, 1_000_000)
		// Rounded up, by less than two microseconds, where less than a permit is owed.
		if off := d.ResetAfter - x.reset; d.Remaining != x.remaining || off < -time.Microsecond || off > 2*time.Microsecond {
			t.Errorf("%d: %d of %s, then %s: %+v, want %d remaining, all after %v", i, x.spent, old.text(), is.text(), d, x.remaining, x.reset)
		}
		if d := c.decide(key, is, 1); d.OK != (x.retry == 0) || d.RetryAfter != x.retry {
			t.Errorf("%d: %d of %s, then %s: %+v, want one after %v", i, x.spent, old.text(), is.text(), d, x.retry)
		}
	}
}

// R1, R5: of limits of all sizes, no change forgets a permit, and none is made up: whole
// ones are exact.
func TestR1DebtOfAllSizesIsKept(t *testing.T) {
	c := newClocked(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	exact := 0
	for i := range 600 {
		key := fmt.Sprint("size", i)
		one, other := of(draw(rnd)), of(draw(rnd))
		if one.burst == 0 || other.burst == 0 {
			continue
		}
		spent := 1 + rnd.Uint64N(min(one.burst, 1<<rnd.IntN(53)))
		if !c.decide(key, one, spent).OK {
			t.Fatalf("%d of %s are denied", spent, one.text())
		}
		w, left := &other.windows[0], uint64(0)
		if other.burst > spent {
			left = other.burst - spent
		}
		r, _ := c.take(key, other, claim{n: other.burst}, 0)
		got := w.remaining(r.debts[0])
		if got > left {
			t.Fatalf("%d of %s, then %s: %d remain, want %d", spent, one.text(), other.text(), got, left)
		}
		if want := w.microseconds(w.step); !r.ok && want.Cmp(w.microseconds(amount{1 << 50 / spent, 0})) < 0 {
			if exact++; got != left {
				t.Fatalf("%d of %s, then %s: %d remain, want %d", spent, one.text(), other.text(), got, left)
			}
		}
	}
	if exact < 100 {
		t.Errorf("only %d were exact", exact)
	}
}

// R1: however often processes of two limits take turns, at one instant or fast, what is owed
// does not drift.
func TestR1DebtDoesNotDrift(t *testing.T) {
	c := newClocked(t)
	for i, x := range [][2]limit{
		{per(1_000_000_000, time.Second, 1000), per(900_000_001, time.Second, 1000)},
		{per(999_999_937, time.Second, 50), per(77_777_777, 3*time.Second, 50)},
		{per(3_000_000, time.Second, 10), per(7_000_000, time.Second, 10)},
		{per(10, time.Second, 100), per(10, time.Second, 1)},
		{per(10, time.Second, 0), per(10, time.Second, 5)},
	} {
		ps := [2]*limits{of(x[0]), of(x[1])}
		granted := 0
		for n := range 1500 {
			if c.decide(fmt.Sprint("drift", i), ps[n%2], 1).OK {
				granted++
			}
		}
		if most := max(x[0].Burst, x[1].Burst); granted > most || granted < most-1 {
			t.Errorf("%v: %d granted at one instant, want %d", x, granted, most)
		}
	}
}

// R1: a process that does not know a window leaves it alone but for what it is granted.
func TestR1WindowsOfOthersStay(t *testing.T) {
	c := newClocked(t)
	old := of(per(100, time.Second, 100))
	is := of(per(100, time.Second, 100), per(20, time.Hour, 20))
	byOld, byNew := 0, 0
	for range 20_000 / 10 {
		c.us += 2000
		if c.decide("a", old, 1).OK {
			byOld++
		}
		if c.decide("a", is, 1).OK {
			byNew++
		}
	}
	if byNew > 20 || byNew == 0 || byOld < 380 {
		t.Errorf("%d by the old, %d by the new limit in 4 s", byOld, byNew)
	}
	c.us += int64(3 * time.Minute / time.Microsecond)
	if !c.decide("a", is, 1).OK || c.decide("a", is, 1).OK {
		t.Error("one is due after 3 minutes")
	}
	// The window is known by what it is, and not by its place.
	other := of(per(20, time.Hour, 20), per(100, time.Second, 100))
	if d := c.decide("a", other, 1); d.OK || d.RetryAfter > 3*time.Minute {
		t.Errorf("%+v", d)
	}
}

// R1: a window owes its burst at most of what others were granted. A new window, and one that
// is set, owes what another one owes beyond that.
func TestR1ADebtAboveTheBurstIsKept(t *testing.T) {
	c := newClocked(t)
	small, middle, large := of(per(10, time.Second, 1)), of(per(100, time.Second, 2)), of(per(1, time.Second, 20))
	if !c.decide("new", small, 1).OK || !c.decide("new", middle, 1).OK {
		t.Error("a burst is denied")
	}
	if d := c.decide("new", large, 19); d.OK || d.Remaining != 18 {
		t.Errorf("two were granted: %+v", d)
	}
	small, large = of(per(100, time.Second, 20)), of(per(100, time.Second, 200))
	if !c.decide("set", small, 1).OK || !c.decide("set", large, 199).OK {
		t.Error("a burst is denied")
	}
	c.take("set", small, claim{op: opSet}, 0)
	c.take("set", large, claim{op: opSet}, 0)
	if d := c.decide("set", large, 1); d.OK || d.ResetAfter != 2*time.Second {
		t.Errorf("200 were granted: %+v", d)
	}
}

// R6: a denial writes nothing, but the first by a limit that is new to the key.
func TestR6ADenialUnderAnotherLimitWritesOnce(t *testing.T) {
	c := newClocked(t)
	one, other := of(per(0, time.Second, 10)), of(per(10, time.Second, 10))
	get := func() string { return c.client.Get(context.Background(), "a").Val() }
	c.decide("a", one, 10)
	first := get()
	if c.decide("a", one, 1); get() != first {
		t.Error("a denial by the same limit writes")
	}
	c.decide("a", other, 1)
	if second := get(); second == first {
		t.Error("the first denial by another limit does not write: what is owed would never come back")
	}
	c.us += 50_000
	last := get()
	if c.decide("a", other, 1); get() != last {
		t.Error("the second denial by another limit writes")
	}
	c.us += 50_000
	if !c.decide("a", other, 1).OK {
		t.Error("a permit is due")
	}
}

// R6: the value of a key does not grow with the limits that it has had.
func TestR6ValuesAreBounded(t *testing.T) {
	c := newClocked(t)
	size := func() int { return len(c.client.Get(context.Background(), "a").Val()) }
	for i := range 100 {
		c.decide("a", of(per(i+1, time.Hour, 1000)), 1)
		if n := size(); n > 28+9*72 {
			t.Fatalf("%d bytes", n)
		}
	}
	p := of(per(10, time.Second, 10))
	for range 3000 {
		c.us += 1_000_000
		c.decide("a", p, 1)
	}
	if n := size(); n <= 28+72 {
		t.Errorf("%d bytes: the others owe for hours yet", n)
	}
	c.us += int64(1000 * time.Hour / time.Microsecond)
	c.expires["a"] = c.us + 1 // as if the key had been kept
	for range 2 {
		c.decide("a", p, 1)
	}
	if n := size(); n != 28+72 {
		t.Errorf("%d bytes: nobody has used the others for longer than their bursts take", n)
	}
}

// R5: if the clock goes back, as much is owed as before, of all windows, and no longer.
func TestR5AClockThatGoesBack(t *testing.T) {
	c := newClocked(t)
	one, other := of(per(10, time.Second, 100)), of(per(1, time.Second, 10), per(3, 7*time.Minute, 10))
	c.decide("a", one, 50)
	c.decide("a", other, 5)
	c.us -= int64(1000 * time.Hour / time.Microsecond)
	if d := c.decide("a", other, 1); d.OK || d.ResetAfter != 50*140*time.Second {
		t.Errorf("%+v", d)
	}
	if d := c.decide("a", one, 51); d.OK || d.Remaining != 50 || d.ResetAfter != 5*time.Second {
		t.Errorf("%+v", d)
	}
	c.us += 5_000_000
	if d := c.decide("a", one, 100); !d.OK {
		t.Errorf("%+v", d)
	}
}

// What is no value of ours is left as it is, and holds no script up.
func TestDamagedValues(t *testing.T) {
	c := newClocked(t)
	p := of(per(10, time.Second, 10))
	c.decide("a", p, 1)
	good := c.client.Get(context.Background(), "a").Val()
	for i := range 12 {
		for _, x := range []float64{0, -1, 1e300, 5e-324} {
			bad := []byte(good)
			copy(bad[4+8*i:], doubles(nil, x))
			c.client.Set(context.Background(), "a", bad, 0)
			l := &Limiter[string]{client: c.client, name: func(k string) string { return k }}
			for _, q := range []*limits{p, of(per(7, time.Hour, 10)), of(per(0, time.Hour, 10))} {
				_, _ = l.call(context.Background(), "a", q, q.request(claim{n: 3}, 2))
			}
		}
	}
}

// R1: a process that comes back after a while has not been forgotten what it was granted,
// if the window that others have in its place holds less than its burst.
func TestR1AProcessThatComesBack(t *testing.T) {
	c := newClocked(t)
	rare, busy := per(10, time.Second, 200), per(100, time.Second, 2)
	x, y := of(rare), of(busy)
	var grants []grantAt
	for step := range 600 {
		if step%210 == 0 { // after 21 s, in which its burst comes back
			for n := uint64(200); n > 0; n /= 2 {
				for c.decide("a", x, n).OK {
					grants = append(grants, grantAt{c.us, int64(n)})
				}
			}
		}
		for n := 10; n > 0; n-- {
			if c.us += 10_000; c.decide("a", y, 1).OK {
				grants = append(grants, grantAt{c.us, 1})
			}
		}
	}
	checkMix(t, "rare and busy", grants, [][]limit{{rare}, {busy}}, false, false)
}

// R1: permits that one process waits for, all the time, count for another that does not.
func TestR1OneWaitsAndOneTakes(t *testing.T) {
	c := newClocked(t)
	for i, x := range [][2]limit{
		{per(50, time.Second, 20), per(100, time.Second, 20)},
		{per(100, time.Second, 20), per(50, time.Second, 20)},
		{per(200, time.Second, 20), per(100, time.Second, 20)},
		{per(30, time.Second, 5), per(31, time.Second, 1)},
		{per(30, time.Second, 1), per(31, time.Second, 5)},
	} {
		waits, takes := of(x[0]), of(x[1])
		key := fmt.Sprint("waits", i)
		var grants []grantAt
		due, n := int64(0), uint64(1)
		rnd := rand.New(rand.NewPCG(1, uint64(i)))
		for range 500 {
			if c.us >= due {
				n = 1 + rnd.Uint64N(min(waits.burst, 3))
				r, _ := c.take(key, waits, claim{n: n, wait: forever}, 0)
				due = c.us + waits.late(r.debts).Microseconds()
				grants = append(grants, grantAt{due, int64(n)})
			}
			for c.decide(key, takes, 1).OK {
				grants = append(grants, grantAt{c.us, 1})
			}
			c.us += rnd.Int64N(10_000)
		}
		slices.SortFunc(grants, func(a, b grantAt) int { return cmp.Compare(a.us, b.us) })
		// As many more as one caller waits for.
		more := func(w limit) []limit { w.Burst += int(min(waits.burst, 3)); return []limit{w} }
		checkMix(t, key, grants, [][]limit{more(x[0]), more(x[1])}, false, false)
	}
}
