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
	keys    map[string][]*big.Rat // arrival times in microseconds
	calls   int
	latency time.Duration // each way
	skew    time.Duration // of its clock
	err     error         // what it says, if that is all
	hangs   bool          // until the context ends
	panics  bool
}

// newFake returns a new server and a client of it.
func newFake(t testing.TB) (*fake, *redis.Client) {
	t.Helper()
	f := &fake{keys: map[string][]*big.Rat{}}
	client := redis.NewClient(&redis.Options{Addr: "nowhere.invalid:1", ContextTimeoutEnabled: true})
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

// A fakeWindow is the arguments of one, in microseconds.
type fakeWindow struct{ unit, parts, now, capacity, need, step *big.Rat }

func (f *fake) takeLocked(key string, args []any) []any {
	text, want := args[0].(string), ""
	m := len(text) / 56
	if len(args) > 1 {
		want = args[1].(string)
	}
	number := func(text string, i int) *big.Rat {
		return new(big.Rat).SetFloat64(math.Float64frombits(binary.LittleEndian.Uint64([]byte(text[8*i:]))))
	}
	us := new(big.Rat).SetInt64(time.Now().Add(f.skew).UnixMicro())
	windows := make([]fakeWindow, m)
	more := int64(0)
	if want != "" {
		more = number(want, 0).Num().Int64()
	}
	for i := range windows {
		w := &windows[i]
		w.unit, w.parts = number(text, 7*i), number(text, 7*i+2)
		in := func(text string, at int) *big.Rat { // whole and part
			r := new(big.Rat).Quo(number(text, at+1), w.parts)
			return r.Mul(r.Add(r, number(text, at)), w.unit)
		}
		w.now, w.capacity, w.need = us, in(text, 7*i+3), in(text, 7*i+5)
		if number(text, 7*i+1).Sign() == 0 {
			w.now = new(big.Rat) // its clock stands still
		}
		if want != "" {
			w.step = in(want, 1+2*i)
		}
	}
	state := slices.Clone(f.keys[key])
	fits, mend := true, false
	for i, w := range windows {
		if i == len(state) {
			state = append(state, w.now)
		}
		if state[i].Cmp(w.now) < 0 {
			state[i] = w.now
		}
		limit := new(big.Rat).Add(w.now, w.capacity)
		if state[i].Cmp(limit) > 0 {
			state[i], mend = limit, true
		}
		fits = fits && new(big.Rat).Add(state[i], w.need).Cmp(limit) <= 0
	}
	got := int64(-1)
	if fits {
		grow := func(by func(fakeWindow) *big.Rat) bool {
			next := make([]*big.Rat, m)
			for i, w := range windows {
				next[i] = new(big.Rat).Add(state[i], by(w))
				if next[i].Cmp(new(big.Rat).Add(w.now, w.capacity)) > 0 {
					return false
				}
			}
			state = next
			return true
		}
		grow(func(w fakeWindow) *big.Rat { return w.need })
		for got = 0; got < more && grow(func(w fakeWindow) *big.Rat { return w.step }); {
			got++
		}
	}
	if fits || mend {
		f.keys[key] = state
	}
	reply := []any{got}
	for i, w := range windows {
		debt := new(big.Rat).Sub(state[i], w.now)
		debt.Quo(debt, w.unit)
		whole := new(big.Int).Quo(debt.Num(), debt.Denom())
		part := debt.Sub(debt, new(big.Rat).SetInt(whole))
		part.Mul(part, w.parts)
		if !part.IsInt() {
			panic("what is owed is no whole number of parts")
		}
		reply = append(reply, whole.Int64(), part.Num().Int64())
	}
	return reply
}
