package redislimit_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A fake is a server in this process, on the clock of a synctest bubble: what take.lua
// does, in rational numbers. It can be slow, and it can fail.
type fake struct {
	mu      sync.Mutex
	keys    map[string]string // values as take.lua has them
	calls   int
	backs   int           // of calls, that gave something back
	latency time.Duration // each way
	skew    time.Duration // of its clock
	err     error         // what it says, if that is all
	hangs   bool          // until the context ends
	panics  bool
}

// newFake returns a new server and a client of it.
func newFake(t testing.TB) (*fake, *redis.Client) {
	t.Helper()
	f := &fake{keys: map[string]string{}}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	client.AddHook(f)
	return f, client
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) called() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func (f *fake) DialHook(redis.DialHook) redis.DialHook { return nil }

func (f *fake) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (f *fake) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := f.process(ctx, cmd)
		if err != nil {
			cmd.SetErr(err)
		}
		return err
	}
}

func (f *fake) process(ctx context.Context, cmd redis.Cmder) error {
	f.mu.Lock()
	f.calls++
	latency, hangs, panics := f.latency, f.hangs, f.panics
	f.mu.Unlock()
	if panics {
		panic("the client is broken")
	}
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := pause(ctx, latency); err != nil {
		return err
	}
	f.mu.Lock()
	switch args := cmd.Args(); {
	case f.err != nil:
		f.mu.Unlock()
		return f.err
	case args[0] == "del":
		delete(f.keys, args[1].(string))
	case args[0] == "evalsha" && args[2] == 1:
		cmd.(*redis.Cmd).SetVal(f.takeLocked(args[3].(string), args[4:]))
	default:
		f.mu.Unlock()
		return errors.New("unknown command")
	}
	f.mu.Unlock()
	return pause(ctx, latency)
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A fakeWindow is one of a value, in microseconds, or in units if its clock stands still.
type fakeWindow struct {
	id                   string
	unit, parts          *big.Rat
	step, capacity       *big.Rat
	now, debt, used      *big.Rat
	mine, fresh, stopped bool
	idle                 bool // before this call
}

func double(text string, i int) *big.Rat {
	return new(big.Rat).SetFloat64(math.Float64frombits(binary.LittleEndian.Uint64([]byte(text[8*i:]))))
}

func newFakeWindow(id string, us *big.Rat) *fakeWindow {
	w := &fakeWindow{id: id, unit: double(id, 0), parts: double(id, 1), now: us, debt: new(big.Rat), used: us}
	if w.stopped = w.unit.Sign() == 0; w.stopped {
		w.unit, w.now = big.NewRat(1, 1), new(big.Rat)
	}
	w.step, w.capacity = w.amount(id, 2), w.amount(id, 4)
	return w
}

// amount returns one that is in units and parts.
func (w *fakeWindow) amount(text string, i int) *big.Rat {
	r := new(big.Rat).Quo(double(text, i+1), w.parts)
	return r.Mul(r.Add(r, double(text, i)), w.unit)
}

// split returns the units and parts of an amount, rounded up.
func (w *fakeWindow) split(a *big.Rat) (whole, part int64) {
	x := new(big.Rat).Quo(a, w.unit)
	x.Mul(x, w.parts)
	n, rest := new(big.Int).QuoRem(x.Num(), x.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		n.Add(n, big.NewInt(1))
	}
	n, rest = n.QuoRem(n, w.parts.Num(), rest)
	return n.Int64(), rest.Int64()
}

// after returns what is owed after n permits more.
func (w *fakeWindow) after(n *big.Rat) *big.Rat {
	cost := new(big.Rat).Mul(n, w.step)
	return cost.Add(cost, w.debt)
}

// worth returns what is owed in other where as many permits are.
func (w *fakeWindow) worth(other *fakeWindow) *big.Rat {
	r := new(big.Rat).Quo(w.debt, w.step)
	r.Mul(r, other.step)
	whole, part := other.split(r) // rounded up to a part
	r.Add(big.NewRat(whole, 1), new(big.Rat).Quo(big.NewRat(part, 1), other.parts))
	return r.Mul(r, other.unit)
}

func (w *fakeWindow) nearest(others []*fakeWindow) (best *fakeWindow) {
	away := func(x *fakeWindow) float64 {
		if w.stopped != x.stopped {
			return math.Inf(1)
		}
		r, _ := new(big.Rat).Quo(w.step, x.step).Float64()
		return max(r, 1/r)
	}
	for _, x := range others {
		if best == nil || away(x) < away(best) {
			best = x
		}
	}
	return best
}

func (f *fake) takeLocked(key string, args []any) []any {
	ids, need := args[0].(string), args[1].(string)
	n := double(need, 0)
	wait, more, charges, settles := new(big.Rat), int64(0), false, false
	if len(args) > 2 {
		tail := args[2].(string)
		wait, more = double(tail, 0), double(tail, 1).Num().Int64()
		charges, settles = double(tail, 2).Num().Int64() == 1, double(tail, 2).Num().Int64() == 3
	}
	us := new(big.Rat).SetInt64(time.Now().Add(f.skew).UnixMicro())
	stored := map[string]*fakeWindow{}
	var own, others []*fakeWindow
	write := false
	made, spent, promised := us, new(big.Rat), new(big.Rat)
	if value := f.keys[key]; value != "" {
		at := double(value[4:], 0)
		write = at.Cmp(us) > 0
		last := value[len(value)-24:]
		made, spent, promised = double(last, 0), double(last, 1), double(last, 2)
		for rest := value[4 : len(value)-24]; rest != ""; rest = rest[72:] {
			w := newFakeWindow(rest[24:72], us)
			w.used = double(rest, 0)
			from := w.now
			if write { // the clock has gone back
				w.used.Add(w.used.Sub(w.used, at), us)
				if !w.stopped {
					from = at
				}
			}
			if w.debt = w.amount(rest, 1); w.debt.Cmp(from) > 0 {
				w.debt.Sub(w.debt, from)
			} else {
				w.debt = new(big.Rat)
			}
			w.idle = w.debt.Sign() == 0
			stored[w.id] = w
			others = append(others, w)
		}
	}
	for i := range len(ids) / 48 {
		w := stored[ids[48*i:48*i+48]]
		if w == nil {
			w = newFakeWindow(ids[48*i:48*i+48], us)
			w.fresh = true
		}
		w.mine = true
		own = append(own, w)
	}
	others = slices.DeleteFunc(others, func(w *fakeWindow) bool { return w.mine })
	late := new(big.Rat)
	for i, w := range own {
		if from := w.nearest(others); w.fresh && from != nil {
			w.debt = from.worth(w)
			write = write || w.debt.Sign() > 0
		}
		over := w.amount(need, 1+2*i)
		over.Add(over, w.debt).Sub(over, w.capacity)
		if w.stopped && over.Sign() > 0 {
			over.SetInt64(math.MaxInt64)
		}
		if over.Cmp(late) > 0 {
			late = over
		}
	}
	before := promised
	got := int64(-1)
	if settles {
		f.backs++
		mark := args[2].(string)[24:]
		given := new(big.Rat).Set(n)
		if double(mark, 0).Cmp(made) != 0 {
			given.SetInt64(0)
		}
		if double(mark, 3).Sign() > 0 && double(mark, 1).Cmp(spent) == 0 {
			promised = double(mark, 2)
		}
		for _, w := range own {
			least := new(big.Rat).Sub(w.debt, w.capacity)
			if ahead := new(big.Rat).Sub(promised, us); !w.stopped && least.Cmp(ahead) < 0 {
				least = ahead
			}
			if least.Sign() < 0 {
				least = new(big.Rat)
			}
			since := new(big.Rat).Sub(spent, double(mark, 1))
			least.Add(least, since.Mul(since, w.step))
			debt := new(big.Rat).Sub(w.debt, new(big.Rat).Mul(n, w.step))
			if debt.Cmp(least) < 0 {
				debt = least
			}
			if given.Sign() == 0 || debt.Cmp(w.debt) >= 0 {
				given.SetInt64(0)
				continue
			}
			permits := new(big.Rat).Quo(new(big.Rat).Sub(w.debt, debt), w.step)
			permits.SetInt(new(big.Int).Quo(permits.Num(), permits.Denom()))
			if permits.Cmp(given) < 0 {
				given = permits
			}
			w.debt, write = debt, true
		}
		got = given.Num().Int64()
	} else if late.Cmp(wait) <= 0 {
		write, got = true, 0
		if late.Sign() > 0 && !charges {
			later := new(big.Rat).SetInt(new(big.Int).Quo(new(big.Int).Add(late.Num(), new(big.Int).Sub(late.Denom(), big.NewInt(1))), late.Denom()))
			for _, w := range own {
				if !w.stopped && w.debt.Cmp(later) < 0 {
					w.debt = later
				}
			}
			if due := new(big.Rat).Add(us, later); due.Cmp(promised) > 0 {
				promised = due
			}
		}
		for i, w := range own {
			w.debt.Add(w.debt, w.amount(need, 1+2*i))
		}
		fits := func(more int64) bool {
			for _, w := range own {
				if w.after(big.NewRat(more, 1)).Cmp(w.capacity) > 0 {
					return false
				}
			}
			return true
		}
		for late.Sign() == 0 && got < more && fits(got+1) {
			got++
		}
		for _, w := range own {
			w.debt = w.after(big.NewRat(got, 1))
		}
		n.Add(n, big.NewRat(got, 1))
		for _, w := range others {
			most := w.capacity
			if late.Sign() > 0 {
				most = new(big.Rat).Sub(new(big.Rat).Add(w.after(n), most), w.debt)
			}
			if w.debt.Cmp(most) > 0 {
				most = w.debt
			}
			if w.debt = w.after(n); w.debt.Cmp(most) > 0 {
				w.debt = most
			}
		}
	}
	if got >= 0 && !settles {
		spent.Add(spent, n)
	}
	float := func(r *big.Rat) float64 { x, _ := r.Float64(); return x }
	reply, state := []any{}, []byte("TRL3")
	for i, w := range append(own, others...) {
		whole, part := w.split(w.debt)
		used := w.used
		if i < len(own) {
			reply, used = append(reply, whole, part), us
		} else if w.idle && !w.stopped && new(big.Rat).Add(w.used, w.capacity).Cmp(us) <= 0 {
			continue
		}
		whole, part = w.split(new(big.Rat).Add(w.now, w.debt))
		for _, x := range []float64{float(used), float64(whole), float64(part)} {
			state = binary.LittleEndian.AppendUint64(state, math.Float64bits(x))
		}
		state = append(state, w.id...)
	}
	for _, r := range []*big.Rat{made, spent, promised} {
		state = binary.LittleEndian.AppendUint64(state, math.Float64bits(float(r)))
	}
	if write {
		f.keys[key] = string(state)
	}
	if len(args) > 2 {
		table := append([]any{ids, int64(float(made)), int64(float(spent)), int64(float(before))}, reply...)
		return []any{got, table}
	}
	return append([]any{got}, reply...)
}
