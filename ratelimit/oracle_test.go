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
	line     []*oracleClaim // of a root: of all below it, too
	spent    int64
	promised int64
}

type oracleWindow struct {
	n, d      int64 // the rate: n in d ns
	unlimited bool
	burst     int64
	owed      *big.Rat
}

// An oracleClaim is a caller that waits, or a reservation behind one. It is in the queues of
// its limiter and of the parents up to the one at which it waits.
type oracleClaim struct {
	of       *oracle
	at       *oracle
	n, id    int64
	reserved bool
	due      int64
	spent    []int64 // after it was charged, by limiter of the chain; nil: it is in the line
}

type oracleReservation struct {
	n      int64
	at     int64
	before int64
	claim  oracleClaim
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

func (o *oracle) root() *oracle {
	if o.parent == nil {
		return o
	}
	return o.parent.root()
}

// waitsAt reports whether c is in the queue of o.
func (c *oracleClaim) waitsAt(o *oracle) bool {
	for _, m := range c.of.chain() {
		if m == o {
			return true
		}
		if m == c.at {
			return false
		}
	}
	return false
}

// queue are the claims that wait at o.
func (o *oracle) queue() (cs []*oracleClaim) {
	for _, c := range o.root().line {
		if c.waitsAt(o) {
			cs = append(cs, c)
		}
	}
	return cs
}

func (o *oracle) can(n int64) bool {
	for _, m := range o.chain() {
		if len(m.queue()) > 0 || m.due(n) > 0 {
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
	for _, m := range o.chain() {
		queued := int64(0)
		for _, c := range m.queue() {
			if !c.waitsAt(o) {
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
	for _, c := range o.queue() {
		if c.reserved {
			at = max(at, time.Duration(c.due-o.now))
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
		busy = busy || len(m.queue()) > 0
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
	delay := o.delay(n, time.Duration(o.promise()))
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
	r := &oracleReservation{n: n, at: o.now + int64(delay), before: o.promised}
	r.claim = oracleClaim{of: o, at: o, n: n, reserved: true, due: r.at}
	if len(o.queue()) == 0 {
		r.claim.charge()
	} else {
		o.promised = max(o.promised, r.at)
		o.root().line = append(o.root().line, &r.claim)
	}
	return r
}

// charge makes what c asks for owed, at its instant, and at the parents as early as possible.
func (c *oracleClaim) charge() {
	delay := time.Duration(c.due - c.of.now)
	for _, m := range c.of.chain() {
		if m == c.of {
			for _, w := range m.windows {
				if now := w.repaid(int64(max(delay, 0))); !w.unlimited && w.owed.Cmp(now) < 0 {
					w.owed.Set(now)
				}
			}
		} else {
			delay = m.due(c.n)
		}
		if delay > 0 && delay != ratelimit.Never {
			m.promised = max(m.promised, m.now+int64(delay))
		}
		m.spendHere(c.n)
		c.spent = append(c.spent, m.spent)
	}
}

func (o *oracle) settle(r *oracleReservation, actual int64) (returned int64) {
	returned = r.n - actual
	switch c := &r.claim; {
	case slices.Contains(o.root().line, c):
		if c.n = actual; actual == 0 {
			c.leave()
		}
	case returned <= 0:
		o.spend(-returned)
	default:
		spent := c.spent
		if spent == nil { // it was given back before it was charged
			spent = []int64{0}
		}
		for i, m := range o.chain() {
			if i < len(spent) {
				returned = min(returned, m.giveBack(r.n-actual, spent[i]))
			}
		}
	}
	if actual == 0 && o.promised == r.at {
		o.promised = r.before
	}
	r.n = actual
	return returned
}

// giveBack is the law of refunds: what must still be owed is the cost of all that was
// granted since, from the last moment on that what was owed allowed.
func (o *oracle) giveBack(n, spent int64) (back int64) {
	back = n
	for _, w := range o.windows {
		if w.unlimited {
			continue
		}
		least := new(big.Rat).Sub(w.owed, rat(w.burst))
		if last := w.most(w.repaid(o.promise())); least.Cmp(last) < 0 {
			least.Set(last)
		}
		least.Add(least, rat(o.spent-spent))
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
	return back
}

// wait puts a caller at the end of the line.
func (o *oracle) wait(n, id int64) {
	o.root().line = append(o.root().line, &oracleClaim{of: o, at: o, n: n, id: id})
}

func (c *oracleClaim) leave() {
	root := c.of.root()
	root.line = slices.DeleteFunc(root.line, func(d *oracleClaim) bool { return d == c })
}

// keepPromises lets reservations overtake if they would come too late otherwise.
func (o *oracle) keepPromises() {
	for _, c := range slices.Clone(o.root().line) {
		ahead, late := int64(0), false
		for _, d := range c.of.queue() {
			ahead += d.n
			if d == c {
				break
			}
		}
		for _, w := range c.of.windows {
			over := new(big.Rat).Add(w.owed, rat(ahead-w.burst))
			late = late || c.reserved && w.time(over) > time.Duration(c.due-o.now)
		}
		if late {
			c.leave()
			c.charge()
			o.keepPromises() // this one may make others late
			return
		}
	}
}

// look grants the claims that are in front of all of their queues and due, and returns when
// the next one may be.
func (o *oracle) look(granted map[int64]int64) (next time.Duration) {
	next = ratelimit.Never
	o.keepPromises()
	blocked := map[*oracle]bool{}
	for _, c := range slices.Clone(o.root().line) {
		if blocked[o.root()] {
			break
		}
		var at *oracle
		for _, m := range c.of.chain() {
			if delay := m.due(c.n); blocked[m] || delay > 0 && !c.reserved {
				if at = m; !blocked[m] {
					next = min(next, delay)
				}
				break
			}
		}
		switch {
		case at != nil:
			c.at = at
			for _, m := range c.of.chain() {
				blocked[m] = blocked[m] || c.waitsAt(m)
			}
		case c.reserved:
			c.leave()
			c.charge()
		default:
			c.leave()
			c.of.spend(c.n)
			granted[c.id] = o.now
		}
	}
	return next
}

// run moves to an instant and grants on the way. It returns the ids of those granted, and
// when.
func (o *oracle) run(to int64) map[int64]int64 {
	granted := map[int64]int64{}
	for {
		next := o.look(granted)
		if next == ratelimit.Never || o.now+int64(next) > to {
			break
		}
		o.advance(o.now + int64(next))
	}
	o.advance(to)
	return granted
}

func (o *oracle) giveUp(id int64) {
	for _, c := range slices.Clone(o.root().line) {
		if c.id == id && !c.reserved {
			c.leave()
		}
	}
}

// set changes a window. What is owed, at the instant of the last reservation if there is
// one, is rounded up to what it can be counted in: a permit divided by the period in lowest
// terms.
func (o *oracle) set(n, d int64, unlimited bool, burst int64) {
	w, promised := o.windows[0], o.promise()
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

// promise returns the time until the last instant of a reservation.
func (o *oracle) promise() int64 { return max(0, o.promised-o.now) }

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
	for _, c := range o.root().line {
		if !c.reserved && c.of.exceeds(c.n) {
			ids = append(ids, c.id)
		}
	}
	return ids
}

// jump moves to an instant before now: what is owed stays owed.
func (o *oracle) jump(to int64) {
	for _, m := range o.chain() {
		m.promised += min(0, to-m.now)
		m.now = to
	}
}
