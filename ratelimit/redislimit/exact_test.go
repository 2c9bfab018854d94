package redislimit

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A model is a key in rational numbers of permits, by the rules of package ratelimit.
type model struct {
	said     []limit
	owed     []*big.Rat
	us       int64
	made     int64
	spent    int64
	promised int64
}

func newModel(us int64, said []limit) *model {
	m := &model{said: said, us: us, made: us}
	for range said {
		m.owed = append(m.owed, new(big.Rat))
	}
	return m
}

// perMicrosecond returns how many permits come back in some microseconds.
func back(w limit, us int64) *big.Rat {
	n, d := w.Rate.Parts()
	return new(big.Rat).Mul(big.NewRat(int64(n), d.Nanoseconds()), big.NewRat(us*1000, 1))
}

func most(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return b
	}
	return a
}

func (m *model) advance(us int64) {
	for i, w := range m.said {
		m.owed[i] = most(new(big.Rat), new(big.Rat).Sub(m.owed[i], back(w, us-m.us)))
	}
	m.us = us
}

// late returns in how many microseconds n permits are due, rounded up, -1 if never.
func (m *model) late(n int64) (us int64) {
	for i, w := range m.said {
		over := new(big.Rat).Sub(new(big.Rat).Add(m.owed[i], big.NewRat(n, 1)), big.NewRat(int64(w.Burst), 1))
		rate := back(w, 1)
		switch {
		case n > int64(w.Burst) || over.Sign() > 0 && rate.Sign() == 0:
			return -1
		case over.Sign() > 0:
			over.Quo(over, rate)
			whole, rest := new(big.Int).QuoRem(over.Num(), over.Denom(), new(big.Int))
			if rest.Sign() > 0 {
				whole.Add(whole, big.NewInt(1))
			}
			us = max(us, whole.Int64())
		}
	}
	return us
}

func (m *model) spend(n, late int64) {
	for i, w := range m.said {
		if late > 0 {
			m.owed[i] = most(m.owed[i], back(w, late))
			m.promised = max(m.promised, m.us+late)
		}
		m.owed[i] = new(big.Rat).Add(m.owed[i], big.NewRat(n, 1))
	}
	m.spent += n
}

// A held is what is needed to settle.
type held struct{ made, spent, before int64 }

func (m *model) settle(h held, n int64, all bool) int64 {
	given := n
	if h.made != m.made {
		given = 0
	} else if all && h.spent == m.spent {
		m.promised = min(m.promised, h.before)
	}
	for i, w := range m.said {
		least := most(new(big.Rat), new(big.Rat).Sub(m.owed[i], big.NewRat(int64(w.Burst), 1)))
		least = most(least, back(w, max(0, m.promised-m.us)))
		least = new(big.Rat).Add(least, big.NewRat(m.spent-h.spent, 1))
		owed := most(least, new(big.Rat).Sub(m.owed[i], big.NewRat(n, 1)))
		if given == 0 || owed.Cmp(m.owed[i]) >= 0 {
			given = 0
			continue
		}
		freed := new(big.Rat).Sub(m.owed[i], owed)
		given = min(given, new(big.Int).Quo(freed.Num(), freed.Denom()).Int64())
		m.owed[i] = owed
	}
	return given
}

// set changes a single window.
func (m *model) set(to limit) {
	ahead := max(0, m.promised-m.us)
	if later := new(big.Rat).Sub(m.owed[0], back(m.said[0], ahead)); later.Sign() > 0 {
		m.owed[0] = later.Add(later, back(to, ahead))
	}
	m.said = []limit{to}
}

// R1, R7: whatever is taken, reserved, settled, charged and set, of a key alone and of one
// with a parent, the script does what exact rational arithmetic says, to the permit and to the
// microsecond.
func TestR1R7ExactlyTheModel(t *testing.T) {
	c := newClocked(t)
	randomWindow := func(rnd *rand.Rand) limit {
		return per([]int{0, 1, 3, 7, 10, 40, 1000}[rnd.IntN(7)], []time.Duration{time.Second, time.Minute, 3 * time.Millisecond}[rnd.IntN(3)], 1+rnd.IntN(8))
	}
	asked, given, sets := int64(0), int64(0), 0
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		key := time.Duration(seed).String()
		said := []limit{randomWindow(rnd)}
		if rnd.IntN(3) == 0 {
			said = append(said, randomWindow(rnd))
		}
		p, parent := of(said...), (*model)(nil)
		if rnd.IntN(2) == 0 {
			all := []limit{randomWindow(rnd)}
			p, parent = limitsOf(p.windows, of(all...)), newModel(c.us, all)
		}
		if len(p.own()) < len(said) {
			continue // twice the same
		}
		m := newModel(c.us, said)
		type reservation struct {
			ticket
			n     int64
			marks []held
		}
		var open []*reservation
		c.client.Del(t.Context(), "parent")
		chain := func() []*model {
			if parent != nil {
				return []*model{m, parent}
			}
			return []*model{m}
		}
		check := func(step int, what string, r reply) {
			t.Helper()
			i := 0
			for _, x := range chain() {
				for j, w := range x.said {
					is := r.limits.windows[i].microseconds(r.debts[i])
					want := new(big.Rat).Set(x.owed[j])
					if rate := back(w, 1); rate.Sign() > 0 {
						want.Quo(want, rate)
					} else {
						is.Mul(is, new(big.Rat).SetInt64(1<<coarseBits)) // a part is a permit
					}
					if off, _ := new(big.Rat).Sub(is, want).Float64(); off < 0 || off > map[bool]float64{true: 1}[what == "set"] {
						t.Fatalf("seed %d, step %d, %s: %v is owed, want %v (%v)", seed, step, what, is.FloatString(6), want.FloatString(6), x.said)
					}
					// A change of windows rounds up to a part, of a microsecond at most.
					if x.owed[j] = is; back(w, 1).Sign() > 0 {
						x.owed[j] = new(big.Rat).Mul(is, back(w, 1))
					}
					i++
				}
			}
		}
		for step := range 40 {
			if rnd.IntN(2) == 0 {
				c.us += rnd.Int64N(1 << rnd.IntN(26))
			}
			for _, x := range chain() {
				x.advance(c.us)
			}
			if at, ok := c.expires[key]; ok && c.us >= at {
				m = newModel(c.us, said)
			}
			if c.client.Exists(t.Context(), key).Val() == 0 {
				m.made, m.said, m.spent, m.promised = c.us, said, 0, 0
				if len(m.owed) != len(said) {
					m = newModel(c.us, said)
				}
			}
			if parent != nil && c.client.Exists(t.Context(), "parent").Val() == 0 {
				*parent = *newModel(c.us, parent.said)
			}
			n := 1 + rnd.Int64N(6)
			late := int64(0)
			for _, x := range chain() {
				if d := x.late(n); d < 0 || late < 0 {
					late = -1
				} else {
					late = max(late, d)
				}
			}
			switch rnd.IntN(8) {
			case 0, 1:
				r, _ := c.take(key, p, claim{n: uint64(n)}, 0)
				if r.ok != (late == 0) {
					t.Fatalf("seed %d, step %d: %d of %v %v: %v, want it in %d µs, %+v", seed, step, n, m.said, parent, r.ok, late, r)
				}
				for _, x := range chain() {
					if r.ok {
						x.spend(n, 0)
					}
				}
				check(step, "take", r)
			case 2, 3:
				before := []held{}
				for _, x := range chain() {
					before = append(before, held{x.made, x.spent + n, x.promised})
				}
				r, x := c.take(key, p, claim{n: uint64(n), wait: forever}, 0)
				if r.ok != (late >= 0) {
					t.Fatalf("seed %d, step %d: %d of %v %v: %v, want it in %d µs, %+v", seed, step, n, m.said, parent, r.ok, late, r)
				}
				if r.ok {
					for _, x := range chain() {
						x.spend(n, late)
					}
					open = append(open, &reservation{x, n, before})
					if got := r.limits.late(r.debts).Microseconds(); got != late {
						t.Fatalf("seed %d, step %d: %d of %v in %d µs, want %d", seed, step, n, m.said, got, late)
					}
				}
				check(step, "reserve", r)
			case 4, 5:
				if len(open) == 0 {
					continue
				}
				x := open[len(open)-1-rnd.IntN(min(len(open), 3))]
				n := 1 + rnd.Int64N(x.n)
				want := n
				for i, y := range chain() {
					want = min(want, y.settle(x.marks[i], n, n == x.n))
				}
				x.ticket.n = uint64(x.n)
				got := int64(c.back(key, p, x.ticket, uint64(n)))
				asked, given = asked+n, given+got
				if got != want {
					t.Fatalf("seed %d, step %d: gave back %d of %d, want %d (%v)", seed, step, got, n, want, m.said)
				}
				if x.n -= n; x.n == 0 {
					open = slices.DeleteFunc(open, func(y *reservation) bool { return x == y })
				}
			case 6:
				never := false
				for _, x := range chain() {
					for i, w := range x.said {
						over := new(big.Rat).Add(x.owed[i], big.NewRat(n-int64(w.Burst), 1))
						never = never || back(w, 1).Sign() == 0 && over.Sign() > 0
					}
				}
				r, _ := c.take(key, p, claim{n: uint64(n), wait: forever, op: opCharge}, 0)
				if r.ok == never {
					t.Fatalf("seed %d, step %d: charged: %v", seed, step, r.ok)
				}
				for _, x := range chain() {
					if r.ok {
						x.spend(n, 0)
					}
				}
				check(step, "charge", r)
			default:
				if len(said) > 1 || rnd.IntN(2) == 0 {
					continue
				}
				to := randomWindow(rnd)
				idle := m.owed[0].Sign() == 0
				q := limitsOf(of(to).windows, p.parent)
				r, _ := c.take(key, q, claim{op: opSet}, 0)
				if idle {
					m = newModel(c.us, said)
					continue
				}
				sets++
				m.set(to)
				check(step, "set", r)
			}
		}
	}
	if sets < 300 || given*3 < asked {
		t.Errorf("%d sets, %d of %d given back", sets, given, asked)
	}
}
