package ratelimit_test

import (
	"math/big"
	"slices"
	"time"

	"github.com/tandemgo/tandem/ratelimit"
)

// An oracle is a limiter in rational arithmetic, with no regard to cost. It counts what is
// owed in permits, and knows a parent, if there is one.
type oracle struct {
	now      int64 // ns
	windows  []*oracleWindow
	parent   *oracle
	line     []*oracleClaim
	spent    int64
	promises []int64
}

type oracleWindow struct {
	n, d      int64 // the rate: n in d ns
	unlimited bool
	burst     int64
	owed      *big.Rat
}

// An oracleClaim is a caller that waits, or a reservation behind one.
type oracleClaim struct {
	n, id    int64
	reserved bool
	at       int64
	spent    int64 // 0: in the line
}

// An oracleHold is what a reservation has at one limiter.
type oracleHold struct {
	o     *oracle
	at    int64
	spent int64
	claim *oracleClaim
}

type oracleReservation struct {
	n     int64
	at    int64
	holds []*oracleHold
}

func rat(n int64) *big.Rat { return new(big.Rat).SetInt64(n) }

func (w *oracleWindow) rate() *big.Rat { return big.NewRat(w.n, w.d) } // permits per ns

// repaid returns how many permits come back in so much time.
func (w *oracleWindow) repaid(dt int64) *big.Rat { return new(big.Rat).Mul(w.rate(), rat(dt)) }

// until returns the whole ns until n permits can be granted, if so much is owed.
func (w *oracleWindow) until(owed *big.Rat, n int64) time.Duration {
	if w.unlimited {
		return 0
	}
	if n > w.burst {
		return ratelimit.Never
	}
	over := new(big.Rat).Add(owed, rat(n-w.burst))
	return w.time(over)
}

func (w *oracleWindow) time(permits *big.Rat) time.Duration {
	switch {
	case w.unlimited || permits.Sign() <= 0:
		return 0
	case w.n == 0:
		return ratelimit.Never
	}
	q := new(big.Rat).Quo(permits, w.rate())
	return time.Duration(up(q).Int64())
}

// up rounds up.
func up(q *big.Rat) *big.Int {
	x := new(big.Int).Add(q.Num(), q.Denom())
	return x.Sub(x, big.NewInt(1)).Quo(x, q.Denom())
}

func (o *oracle) chain() []*oracle {
	if o.parent == nil {
		return []*oracle{o}
	}
	return append([]*oracle{o}, o.parent.chain()...)
}

func (o *oracle) advance(to int64) {
	for _, m := range o.chain() {
		for _, w := range m.windows {
			if dt := to - m.now; dt > 0 {
				if w.owed.Sub(w.owed, w.repaid(dt)); w.owed.Sign() < 0 {
					w.owed.SetInt64(0)
				}
			}
		}
		m.now = to
	}
}

func (o *oracle) spendHere(n int64) {
	o.spent += n
	for _, w := range o.windows {
		if !w.unlimited {
			w.owed = w.most(w.owed.Add(w.owed, rat(n)))
		}
	}
}

func (o *oracle) spend(n int64) {
	for _, m := range o.chain() {
		m.spendHere(n)
	}
}

// due returns the time until the windows of o alone allow n permits.
func (o *oracle) due(n int64) (d time.Duration) {
	for _, w := range o.windows {
		d = max(d, w.until(w.owed, n))
	}
	return d
}

func (o *oracle) can(n int64) bool {
	for _, m := range o.chain() {
		if len(m.line) > 0 || m.due(n) > 0 {
			return false
		}
	}
	return true
}

func (o *oracle) allow(n int64) bool {
	ok := o.can(n)
	if ok {
		o.spend(n)
	}
	return ok
}

func (o *oracle) exceeds(n int64) bool {
	for _, m := range o.chain() {
		for _, w := range m.windows {
			if !w.unlimited && n > w.burst {
				return true
			}
		}
	}
	return false
}

// delay returns how long n permits take, behind all that wait and not before an instant.
func (o *oracle) delay(n int64, from time.Duration) (at time.Duration) {
	if o.exceeds(n) {
		return ratelimit.Never
	}
	type future struct {
		w    *oracleWindow
		owed *big.Rat
	}
	var fs []future
	for i, m := range o.chain() {
		queued := int64(0)
		for _, c := range m.line {
			if i > 0 && (len(o.line) == 0 || c != o.line[0]) {
				queued += c.n
			}
		}
		for _, w := range m.windows {
			fs = append(fs, future{w, new(big.Rat).Add(w.owed, rat(queued))})
		}
	}
	serve := func(n int64, from time.Duration) time.Duration {
		at := from // debts are counted from now on
		for _, f := range fs {
			at = max(at, f.w.until(f.owed, n))
		}
		if at == ratelimit.Never {
			return at
		}
		for _, f := range fs {
			if now := f.w.repaid(int64(at)); f.owed.Cmp(now) < 0 {
				f.owed.Set(now)
			}
			f.owed.Add(f.owed, rat(n))
		}
		return at
	}
	for _, c := range o.line {
		if c.reserved {
			at = max(at, time.Duration(c.at-o.now))
		}
		if at = serve(c.n, at); at == ratelimit.Never {
			return at
		}
	}
	return serve(n, max(at, from))
}

// decision describes an answer.
func (o *oracle) decision(ok bool, n int64) ratelimit.Decision {
	d := ratelimit.Decision{OK: ok, Limit: -1}
	busy := false
	for _, m := range o.chain() {
		busy = busy || len(m.line) > 0
		for _, w := range m.windows {
			left := w.burst
			if !w.unlimited {
				free := new(big.Rat).Sub(rat(w.burst), w.owed)
				left = max(0, new(big.Int).Quo(free.Num(), free.Denom()).Int64())
			}
			if d.Limit < 0 || int(left) < d.Remaining {
				d.Limit, d.Remaining = int(w.burst), int(left)
			}
			d.ResetAfter = max(d.ResetAfter, w.time(w.owed))
			if !ok {
				d.RetryAfter = max(d.RetryAfter, w.until(w.owed, n))
			}
		}
	}
	if busy {
		d.Remaining, d.RetryAfter = 0, o.delay(n, 0)
	}
	return d
}

// reserve returns nil if n permits can't be reserved.
func (o *oracle) reserve(n int64) *oracleReservation {
	delay := o.delay(n, time.Duration(o.promised()))
	if delay == ratelimit.Never {
		return nil
	}
	for _, w := range o.windows { // what 64 bits do not hold
		owed := w.repaid(int64(delay))
		if owed.Cmp(w.owed) < 0 {
			owed.Set(w.owed)
		}
		owed.Add(owed, rat(n))
		if !w.unlimited && w.most(new(big.Rat).Set(owed)).Cmp(w.most(owed.Add(owed, rat(1)))) == 0 {
			return nil
		}
	}
	r := &oracleReservation{n: n, at: o.now + int64(delay)}
	for _, m := range o.chain() {
		if m != o {
			delay = m.delay(n, 0)
		}
		h := &oracleHold{o: m, at: m.now + int64(delay), spent: m.spent}
		if delay > 0 {
			m.promises = append(m.promises, h.at)
		}
		if len(m.line) > 0 {
			h.claim = &oracleClaim{n: n, reserved: true, at: m.now + int64(delay)}
			m.line = append(m.line, h.claim)
		} else {
			m.reserved(n, delay)
			h.spent = m.spent
		}
		r.holds = append(r.holds, h)
	}
	return r
}

func (o *oracle) reserved(n int64, delay time.Duration) {
	for _, w := range o.windows {
		if now := w.repaid(int64(max(delay, 0))); !w.unlimited && w.owed.Cmp(now) < 0 {
			w.owed.Set(now)
		}
	}
	o.spendHere(n)
}

func (o *oracle) settle(r *oracleReservation, actual int64) (returned int64) {
	defer func() { r.n = actual }()
	if actual >= r.n {
		o.spend(actual - r.n)
		return r.n - actual
	}
	returned = r.n - actual
	for _, h := range r.holds {
		if i := slices.Index(h.o.promises, h.at); actual == 0 && i >= 0 {
			h.o.promises = slices.Delete(h.o.promises, i, i+1)
		}
		returned = min(returned, h.giveBack(r.n-actual))
	}
	return returned
}

// giveBack is the law of refunds: what must still be owed is the cost of all that was
// granted since, from the last moment on that what was owed allowed.
func (h *oracleHold) giveBack(n int64) int64 {
	free := int64(0)
	if c := h.claim; c != nil && c.spent > 0 {
		h.spent = c.spent
	} else if c != nil {
		free = min(n, c.n)
		if c.n -= free; c.n == 0 {
			h.o.line = slices.DeleteFunc(h.o.line, func(d *oracleClaim) bool { return c == d })
		}
	}
	n -= free
	back := n
	for _, w := range h.o.windows {
		if w.unlimited {
			continue
		}
		least := new(big.Rat).Sub(w.owed, rat(w.burst))
		if last := w.most(w.repaid(h.o.promised())); least.Cmp(last) < 0 {
			least.Set(last)
		}
		least.Add(least, rat(h.o.spent-h.spent))
		if least.Cmp(w.owed) > 0 {
			least.Set(w.owed)
		}
		owed := new(big.Rat).Sub(w.owed, rat(n))
		if owed.Cmp(least) < 0 {
			owed.Set(least)
		}
		given := new(big.Rat).Sub(w.owed, owed)
		w.owed = owed
		back = min(back, new(big.Int).Quo(given.Num(), given.Denom()).Int64())
	}
	return back + free
}

// wait puts a caller at the end of the line.
func (o *oracle) wait(n, id int64) { o.line = append(o.line, &oracleClaim{n: n, id: id}) }

// leave takes a claim out of the line of o, and charges the reservations in front then.
func (o *oracle) leave(c *oracleClaim) {
	o.line = slices.DeleteFunc(o.line, func(d *oracleClaim) bool { return d == c })
	for len(o.line) > 0 && o.line[0].reserved {
		o.charge(o.line[0])
		o.line = o.line[1:]
	}
}

func (o *oracle) charge(c *oracleClaim) {
	o.reserved(c.n, time.Duration(c.at-o.now))
	c.spent = o.spent
}

// keepPromises lets reservations overtake if they would come too late otherwise.
func (o *oracle) keepPromises() {
	ahead, late := int64(0), false
	for _, c := range o.line {
		ahead += c.n
		for _, w := range o.windows {
			over := new(big.Rat).Add(w.owed, rat(ahead-w.burst))
			late = late || c.reserved && w.time(over) > time.Duration(c.at-o.now)
		}
	}
	if late {
		o.line = slices.DeleteFunc(o.line, func(c *oracleClaim) bool {
			if c.reserved {
				o.charge(c)
			}
			return c.reserved
		})
	}
}

// look grants the claims in front that are due, and returns when the next one may be.
func (o *oracle) look(granted map[int64]int64) (next time.Duration) {
	next = ratelimit.Never
	for _, m := range o.chain() {
		m.keepPromises()
	}
	for _, root := range o.chain() { // those of o may wait at the parent
	again:
		for len(root.line) > 0 {
			c := root.line[0]
			if o.parent == root && len(o.line) > 0 && c == o.line[0] {
				break // looked at as one of o
			}
			chain := root.chain()
			for i, m := range chain {
				if !slices.Contains(m.line, c) {
					m.line = append(m.line, c)
				}
				delay := time.Duration(ratelimit.Never)
				if m.line[0] == c {
					delay = m.due(c.n)
				}
				if delay > 0 {
					next = min(next, delay)
					for _, above := range chain[i+1:] {
						above.leave(c)
					}
					break again
				}
			}
			root.spend(c.n)
			for _, m := range chain {
				m.leave(c)
			}
			granted[c.id] = o.now
		}
	}
	return next
}

// run moves to an instant and grants on the way. It returns who was granted, by id, and
// when.
func (o *oracle) run(to int64) map[int64]int64 {
	granted := map[int64]int64{}
	for {
		before := len(granted)
		next := o.look(granted)
		if len(granted) > before {
			continue // one may have gone from the line of the parent
		}
		if next == ratelimit.Never || o.now+int64(next) > to {
			break
		}
		o.advance(o.now + int64(next))
	}
	o.advance(to)
	return granted
}

func (o *oracle) giveUp(id int64) {
	for _, m := range o.chain() {
		for _, c := range slices.Clone(m.line) {
			if c.id == id && !c.reserved {
				m.leave(c)
			}
		}
	}
}

// set changes a window. What is owed, at the instant of the last reservation if there is
// one, is rounded up to what it can be counted in: a permit divided by the period in lowest
// terms.
func (o *oracle) set(n, d int64, unlimited bool, burst int64) {
	w, promised := o.windows[0], o.promised()
	later := new(big.Rat).Sub(w.owed, w.most(w.repaid(promised)))
	old := w.unlimited
	w.n, w.d, w.unlimited, w.burst = n, d, unlimited, burst
	if later.Sign() > 0 {
		w.owed = later
	}
	x := new(big.Rat).Mul(w.owed, new(big.Rat).SetInt(w.unit()))
	w.owed = w.most(new(big.Rat).SetFrac(up(x), w.unit()))
	if later.Sign() > 0 {
		w.owed = w.most(w.owed.Add(w.owed, w.most(w.repaid(promised))))
	}
	if old || unlimited {
		w.owed = new(big.Rat)
	}
}

// promised returns the time until the last instant of a reservation.
func (o *oracle) promised() (ns int64) {
	for _, at := range o.promises {
		ns = max(ns, at-o.now)
	}
	return ns
}

// most returns permits, or the most that 64 bits hold.
func (w *oracleWindow) most(permits *big.Rat) *big.Rat {
	if most := new(big.Rat).SetFrac(big.NewInt(1<<61), w.unit()); permits.Cmp(most) > 0 {
		return most
	}
	return permits
}

// unit returns in how many parts a permit is counted.
func (w *oracleWindow) unit() *big.Int {
	if w.n > 0 {
		return big.NewRat(w.n, w.d).Denom()
	}
	return big.NewInt(w.d)
}

// tooLarge returns the ids of the callers that wait for more than a burst.
func (o *oracle) tooLarge() (ids []int64) {
	for _, m := range o.chain() {
		for _, c := range m.line {
			if !c.reserved && m.exceeds(c.n) && !slices.Contains(ids, c.id) {
				ids = append(ids, c.id)
			}
		}
	}
	for _, c := range o.line {
		if !c.reserved && o.exceeds(c.n) && !slices.Contains(ids, c.id) {
			ids = append(ids, c.id)
		}
	}
	return ids
}

// jump moves to an instant before now: what is owed stays owed.
func (o *oracle) jump(to int64) {
	for _, m := range o.chain() {
		for i := range m.promises {
			m.promises[i] += to - m.now
		}
		m.now = to
	}
}
