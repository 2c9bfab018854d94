package redislimit

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tandemgo/tandem/ratelimit"
)

// serve starts a server without a port, and returns a client of it. Where there is none
// the test is skipped, and fails if the variable CI is set.
func serve(t *testing.T) *redis.Client {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed")
		}
		t.Skip("redis-server is not installed")
	}
	dir, err := os.MkdirTemp("", "redis") // a socket must have a short name
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, ContextTimeoutEnabled: true, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	// The only way to know that it is there is to ask.
	for deadline := time.Now().Add(20 * time.Second); !there(socket, client); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not start")
		}
	}
	return client
}

func there(socket string, client *redis.Client) bool {
	_, err := os.Stat(socket)
	return err == nil && client.Ping(context.Background()).Err() == nil
}

// An oracle is the state of a key in rational numbers of microseconds.
type oracle struct {
	interval, capacity []*big.Rat
	still              []bool
	tats               []*big.Rat
	at                 int64 // when they were stored
}

func ratio(a amount, den uint64) *big.Rat {
	r := new(big.Rat).SetFrac(new(big.Int).SetUint64(a.part), new(big.Int).SetUint64(den))
	return r.Add(r, new(big.Rat).SetInt(new(big.Int).SetUint64(a.whole)))
}

// microseconds returns an amount as a rational number of them; where the clock stands
// still, of units.
func (w *window) microseconds(a amount) *big.Rat { return ratio(a, w.den) }

func (o *oracle) now(i int, us int64) *big.Rat {
	if o.still[i] {
		return new(big.Rat)
	}
	return new(big.Rat).SetInt64(us)
}

// take returns what is owed after it, and how many permits more than n are granted, -1 if
// none at all: then it changes nothing, unless the clock has gone back.
func (o *oracle) take(us int64, n, more uint64) (owed []*big.Rat, extra int64) {
	tats, back := make([]*big.Rat, len(o.tats)), o.tats[0] != nil && us < o.at
	for i := range tats {
		now := o.now(i, us)
		tats[i] = now
		if o.tats[i] == nil {
			continue
		}
		is := o.tats[i]
		if back { // as much is owed as then
			is = new(big.Rat).Add(now, new(big.Rat).Sub(is, o.now(i, o.at)))
		}
		if is.Cmp(now) > 0 {
			tats[i] = is
		}
	}
	for extra = int64(more); extra >= 0; extra-- {
		next, fits := make([]*big.Rat, len(tats)), true
		for i := range tats {
			cost := new(big.Rat).SetInt(new(big.Int).Add(new(big.Int).SetUint64(n), big.NewInt(extra)))
			cost.Mul(cost, o.interval[i])
			next[i] = cost.Add(cost, tats[i])
			fits = fits && next[i].Cmp(new(big.Rat).Add(o.now(i, us), o.capacity[i])) <= 0
		}
		if fits {
			tats = next
			break
		}
	}
	if extra >= 0 || back {
		o.tats, o.at = tats, us
	}
	for i := range tats {
		owed = append(owed, new(big.Rat).Sub(tats[i], o.now(i, us)))
	}
	return owed, extra
}

// extremes are limits of all kinds that package ratelimit accepts, to the edges of its
// range; the rest of them is drawn.
var extremes = []limit{
	{Rate: ratelimit.Every(1 << 60), Burst: 1}, {Rate: ratelimit.Every(1 << 57), Burst: 8}, {Rate: ratelimit.Every(36 * 365 * 24 * time.Hour), Burst: 1},
	{Rate: ratelimit.Every(time.Hour), Burst: 36 * 365 * 24}, {Rate: ratelimit.Per(0, time.Second), Burst: 5}, {Rate: ratelimit.Per(0, 1), Burst: 1 << 60},
	{Rate: ratelimit.Per(math.MaxInt, 1<<52), Burst: 4}, {Rate: ratelimit.Per(1<<60+1, 1<<58), Burst: 1000}, {Rate: ratelimit.Per(math.MaxInt, 1<<53), Burst: 1 << 40},
	{Rate: ratelimit.Per(999_999_937, time.Second), Burst: 7}, {Rate: ratelimit.Per(math.MaxInt-1, math.MaxInt64), Burst: 9}, {Rate: ratelimit.Every(1), Burst: 1}, {Rate: ratelimit.Every(1), Burst: 1 << 60},
	{Rate: ratelimit.Per(1_000_000_007, 1<<60), Burst: 1_000_000_000}, {Rate: ratelimit.Per(2000, 1), Burst: 1 << 40}, {Rate: ratelimit.Per(3, 10*time.Microsecond), Burst: 0},
}

// draw returns a limit in the range of package ratelimit.
func draw(rnd *rand.Rand) limit {
	x := extremes[rnd.IntN(len(extremes))]
	if rnd.IntN(2) == 0 {
		x = limit{Rate: ratelimit.Per(1+rnd.IntN(1000), time.Duration(1+rnd.Int64N(1<<rnd.IntN(40)))), Burst: rnd.IntN(1 << rnd.IntN(20))}
	}
	ratelimit.New(x.Rate, x.Burst) // panics if it is not
	return x
}

// withClock returns the script on a clock of our own, by which nothing expires.
func withClock(t *testing.T) *redis.Script {
	t.Helper()
	text := source
	for _, change := range [][2]string{
		{"redis.call('TIME')", "{redis.call('GET', 'seconds'), redis.call('GET', 'micros')}"},
		{"redis.call('SET', key, state, 'PX', ms)", "redis.call('SET', key, state) if key == KEYS[1] then redis.call('SET', 'expires', ms) end"},
	} {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("the script has no %s", change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	return redis.NewScript(text)
}

// R1, R5: for limits of all sizes, several at a time, and a clock that goes back and forth,
// the script does what rational arithmetic says, to the last part of a microsecond.
func TestR1TheScriptIsExact(t *testing.T) {
	client := serve(t)
	ours := withClock(t)
	ctx := context.Background()
	granted := 0
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		var others []limit
		for range rnd.IntN(3) {
			others = append(others, draw(rnd))
		}
		p := of(append([]limit{draw(rnd)}, others...)...)
		o := &oracle{tats: make([]*big.Rat, len(p.windows))}
		least := uint64(math.MaxUint64)
		for i := range p.windows {
			w := &p.windows[i]
			o.interval = append(o.interval, w.microseconds(w.step))
			o.capacity = append(o.capacity, w.microseconds(w.capacity))
			o.still = append(o.still, w.still)
			least = min(least, w.burst)
		}
		if err := client.FlushDB(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		us := time.Now().UnixMicro()
		for step := range 40 {
			switch rnd.IntN(10) {
			case 0:
				us -= rnd.Int64N(1 << rnd.IntN(45))
			case 1:
				us += rnd.Int64N(1 << rnd.IntN(44))
			default:
				// About as long as a permit takes.
				interval, _ := o.interval[0].Float64()
				us += rnd.Int64N(int64(min(2*interval, 1<<44)) + 2)
			}
			n := 1 + rnd.Uint64N(min(least+2, 1<<rnd.IntN(63)))
			more := uint64(0)
			if rnd.IntN(2) == 0 && n <= least {
				more = rnd.Uint64N(min(least-n+1, 100))
			}
			if err := client.MSet(ctx, "seconds", us/1e6, "micros", us%1e6, "expires", 0).Err(); err != nil {
				t.Fatal(err)
			}
			is, err := ours.Run(ctx, client, []string{"key"}, p.request(claim{n: n}, more)...).Slice()
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			r, err := p.parse(is)
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			got := is[0].(int64)
			owed, want := o.take(us, n, more)
			if want >= 0 {
				granted++
			}
			if got != want {
				t.Fatalf("seed %d, step %d: %d and %d more of %+v: %d, want %d", seed, step, n, more, p.windows, got, want)
			}
			for i := range p.windows {
				w := &p.windows[i]
				if is := w.microseconds(r.debts[i]); is.Cmp(owed[i]) != 0 {
					t.Fatalf("seed %d, step %d, window %d of %+v: %v is owed, want %v", seed, step, i, p.windows, is, owed[i])
				}
			}
			// It is kept until nothing is owed, and a moment longer.
			if ms, err := client.Get(ctx, "expires").Int64(); ms > 0 || err != nil {
				most := new(big.Rat)
				for i := range p.windows {
					if owed[i].Cmp(most) > 0 {
						most = owed[i]
					}
				}
				over := new(big.Rat).Sub(new(big.Rat).SetInt64(ms*1000), most)
				if err != nil || over.Cmp(big.NewRat(1000, 1)) < 0 || over.Cmp(big.NewRat(3001, 1)) > 0 {
					t.Fatalf("seed %d, step %d: kept for %d ms, %v µs are owed (%v)", seed, step, ms, most, err)
				}
			}
		}
	}
	if granted < 1000 {
		t.Errorf("only %d were granted", granted)
	}
}

// R1, R5: no limit is faster than what it is made of, nor slower by more than one in 10^9.
func TestR1WindowsAreNeverFaster(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 5000 {
		x := draw(rnd)
		if i < len(extremes) {
			x = extremes[i]
		}
		w := newWindow(x.Rate, uint64(x.Burst))
		permits, period := x.Rate.Parts()
		if permits == 0 {
			continue
		}
		want := big.NewRat(int64(period), int64(permits))
		want.Mul(want, big.NewRat(1, 1000))
		is := w.microseconds(w.step)
		off := new(big.Rat).Sub(is, want)
		if off.Sign() < 0 {
			t.Errorf("%v, %d at once: an interval of %v, want %v", x.Rate, x.Burst, is, want)
		}
		if per, _ := want.Float64(); per >= 1e-6 {
			if off, _ := off.Quo(off, want).Float64(); off > 1e-9 {
				t.Errorf("%v, %d at once: slower by %v", x.Rate, x.Burst, off)
			}
		}
		if full := new(big.Rat).Mul(is, new(big.Rat).SetInt64(int64(x.Burst))); full.Cmp(w.microseconds(w.capacity)) != 0 {
			t.Errorf("%v: the burst of %d costs %v, want %v", x.Rate, x.Burst, w.microseconds(w.capacity), full)
		}
		if w.den > 1<<exactBits || w.capacity.whole > 1<<coarseBits+1 || w.step.part >= w.den {
			t.Errorf("%v, %d at once: %+v", x.Rate, x.Burst, w)
		}
	}
}

// R7: what is said of a state is what rational arithmetic says, rounded up to microseconds.
func TestR7DecisionsAreExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		x := draw(rnd)
		p := of(x)
		w := &p.windows[0]
		debt := amount{}
		if x.Burst > 0 {
			debt = w.cost(rnd.Uint64N(uint64(x.Burst) + 1))
			if debt.whole > 0 {
				debt = amount{rnd.Uint64N(debt.whole), rnd.Uint64N(w.den)}
			}
		}
		n := 1 + rnd.Uint64N(min(w.burst+1, 1<<rnd.IntN(63)))
		d := p.decision(false, []amount{debt}, 0, n)
		step := w.microseconds(w.step)
		free := new(big.Rat).Sub(w.microseconds(w.capacity), w.microseconds(debt))
		free.Quo(free, step)
		if left := new(big.Int).Quo(free.Num(), free.Denom()); left.Cmp(big.NewInt(int64(d.Remaining))) != 0 {
			t.Fatalf("%v, %d at once, %v owed: %d remain, want %v", x.Rate, x.Burst, debt, d.Remaining, left)
		}
		up := func(us *big.Rat) time.Duration {
			if us.Sign() <= 0 {
				return 0
			}
			whole, rest := new(big.Int).QuoRem(us.Num(), us.Denom(), new(big.Int))
			if rest.Sign() > 0 {
				whole.Add(whole, big.NewInt(1))
			}
			if w.still || !whole.IsInt64() || whole.Int64() > math.MaxInt64/1000 {
				return ratelimit.Never
			}
			return time.Duration(whole.Int64()) * time.Microsecond
		}
		if want := up(w.microseconds(debt)); d.ResetAfter != want {
			t.Fatalf("%v, %d at once, %v owed: reset after %v, want %v", x.Rate, x.Burst, debt, d.ResetAfter, want)
		}
		need := new(big.Rat).Mul(step, new(big.Rat).SetInt(new(big.Int).SetUint64(n)))
		want := up(need.Add(need, w.microseconds(debt)).Sub(need, w.microseconds(w.capacity)))
		if n > w.burst {
			want = ratelimit.Never
		}
		want = max(want, time.Microsecond) // a denial says to wait
		if d.RetryAfter != want {
			t.Fatalf("%v, %d at once, %v owed: %d after %v, want %v", x.Rate, x.Burst, debt, n, d.RetryAfter, want)
		}
	}
}
