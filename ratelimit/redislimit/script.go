package redislimit

import (
	_ "embed"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed take.lua
var source string

// The script is known to Redis by its hash. Where it is not, since the server is new or its
// scripts were flushed, it is sent along.
var script = redis.NewScript(source)

// An operation of the script.
const (
	opTake = iota
	opCharge
	opSet
	opSettle
)

// A claim is a request of a caller: n permits, now or within the time that it can wait.
type claim struct {
	n    uint64
	wait time.Duration
	op   int
	mark []float64 // of a reservation to settle
}

// request returns the arguments of the script for a claim, and more permits if it can.
func (p *limits) request(c claim, more uint64) []any {
	args := []any{p.ids, need(p.own(), c)}
	if c.wait > 0 || more > 0 || c.op != opTake || p.parent != nil {
		wait := float64(max(c.wait, 0) / time.Microsecond)
		args = append(args, string(doubles(nil, append([]float64{wait, float64(more), float64(c.op)}, c.mark...)...)))
	}
	if p.parent != nil {
		args = append(args, p.parent.ids, need(p.parent.windows, c))
	}
	return args
}

// need returns the cost of the permits of a claim.
func need(windows []window, c claim) string {
	b := doubles(make([]byte, 0, 8+16*len(windows)), float64(c.n))
	for i := range windows {
		w := &windows[i]
		cost := amount{w.capacity.whole + 1, 0} // never
		if c.n <= w.burst || c.op == opCharge {
			cost = w.cost(c.n)
		}
		b = cost.doubles(b)
	}
	return string(b)
}

// doubles appends numbers as Lua reads them.
func doubles(b []byte, numbers ...float64) []byte {
	for _, x := range numbers {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

func (a amount) doubles(b []byte) []byte { return doubles(b, float64(a.whole), float64(a.part)) }

// unit returns how many microseconds a whole is, 0 if the clock stands still.
func (w *window) unit() float64 {
	if w.still {
		return 0
	}
	return 1
}

// windowsOf returns the windows that a script knows by ids.
func windowsOf(ids string) (windows []window) {
	for ; len(ids) >= 48; ids = ids[48:] {
		var x [6]float64
		for i := range x {
			x[i] = math.Float64frombits(binary.LittleEndian.Uint64([]byte(ids[8*i:])))
		}
		w := window{still: x[0] == 0, den: uint64(x[1]), step: amount{uint64(x[2]), uint64(x[3])}, capacity: amount{uint64(x[4]), uint64(x[5])}}
		w.burst = w.remaining(amount{})
		windows = append(windows, w)
	}
	return windows
}

// A reply is the answer of Redis.
type reply struct {
	ok      bool      // the permits are granted
	more    uint64    // so many more are; or of a reservation are given back
	held    uint64    // so many are left of the lease
	limits  *limits   // those of the caller, or those that were set
	debts   []amount  // what is owed in each window
	mark    []float64 // of each key, what is needed to settle, and 1 to give all back
	failed  bool      // it has not answered
	hurried bool      // it had less than the timeout, since the caller's deadline is soon
}

var errReply = errors.New("what the script returns is not its own")

// parse reads the reply of the script.
func (p *limits) parse(is []any) (r reply, err error) {
	more, ok := int64(0), false
	if len(is) > 0 {
		more, ok = is[0].(int64)
	}
	switch {
	case !ok:
		return r, errReply
	case more == -2:
		return r, ErrForeign
	}
	r.ok, r.more, r.limits = more >= 0, uint64(max(more, 0)), p
	debts := is[1:]
	if len(debts) > 0 {
		if _, tables := debts[0].([]any); tables {
			if debts, err = r.parseTables(debts); err != nil {
				return r, err
			}
		}
	}
	if len(debts) < 2*len(r.limits.windows) {
		return r, errReply
	}
	for i := range r.limits.windows {
		whole, _ := debts[2*i].(int64)
		part, _ := debts[2*i+1].(int64)
		r.debts = append(r.debts, amount{uint64(max(whole, 0)), uint64(max(part, 0))})
	}
	return r, nil
}

// parseTables reads a table for each key, and returns the debts in all of them.
func (r *reply) parseTables(is []any) (debts []any, err error) {
	own, parent, changed := r.limits.own(), r.limits.parent, false
	for i, x := range is {
		table, _ := x.([]any)
		if len(table) < 4 {
			return nil, errReply
		}
		ids, _ := table[0].(string)
		switch {
		case i == 0 && ids != r.limits.ids:
			own, changed = windowsOf(ids), true
		case i > 0 && ids != parent.ids:
			parent, changed = limitsOf(windowsOf(ids), nil), true
		}
		for _, x := range table[1:4] {
			n, _ := x.(int64)
			r.mark = append(r.mark, float64(n))
		}
		r.mark = append(r.mark, 0)
		debts = append(debts, table[4:]...)
	}
	if changed {
		r.limits = limitsOf(own, parent)
	}
	return debts, nil
}
