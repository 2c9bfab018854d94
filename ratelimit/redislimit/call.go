package redislimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed take.lua
var source string

// The script is known to Redis by its hash. Where it is not, since the server is new or its
// scripts were flushed, it is sent along.
var script = redis.NewScript(source)

// A reply is the answer of Redis.
type reply struct {
	ok      bool      // the permits are granted
	more    uint64    // so many more are; or of a reservation are given back
	held    uint64    // so many are left of the lease
	limits  *limits   // those of the caller, or those that were set
	debts   []amount  // what is owed in each window
	mark    []float64 // of each key, what is needed to settle
	failed  bool      // it has said nothing
	hurried bool      // it had less than the timeout, since the caller's deadline is soon
}

// leastTime is the least time that Redis must have had before a call counts as not
// answered.
const leastTime = time.Millisecond

// patience returns for how long Redis is waited for under ctx. A quarter of the time until
// the deadline of ctx is kept for the fallback.
func (l *Limiter[K]) patience(ctx context.Context) (d time.Duration, hurried bool) {
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		if left -= left / 4; left < l.timeout {
			return left, true
		}
	}
	return l.timeout, false
}

// fair reports whether Redis, if it has not answered in time d, has failed. A caller whose
// deadline comes sooner than an answer usually does must not bring others to think so.
func (l *Limiter[K]) fair(d time.Duration) bool {
	return d >= l.timeout || d >= max(leastTime, 2*time.Duration(l.usual.Load()))
}

// took notes how long an answer took. If two do at once, one of them is lost.
func (l *Limiter[K]) took(d time.Duration) {
	if usual := l.usual.Load(); usual > 0 {
		l.usual.Store(usual + (int64(d)-usual)/4)
	} else {
		l.usual.Store(int64(d))
	}
}

// ask makes a claim on k, and takes up to so many permits more. If Redis does not answer,
// reply says that it has failed; otherwise an error is the cause of ctx, or says that its
// deadline comes too soon.
func (l *Limiter[K]) ask(ctx context.Context, k K, p *limits, c claim, more uint64) (reply, error) {
	patience, hurried := l.patience(ctx)
	if patience <= 0 {
		return reply{}, errTooSoon
	}
	asked := l.now()
	ok, probe := l.breaker.enter(asked)
	if !ok {
		return reply{failed: true}, errResting
	}
	is := unknown // should the client panic
	defer func() { l.breaker.leave(probe, is, l.now()) }()
	l.calls.Add(1)
	call, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := l.call(call, k, p, p.request(c, more))
	took := l.now() - asked
	if err == nil {
		is = answered
		l.took(took)
		return r, nil
	}
	if errors.Is(err, ErrForeign) { // at this key, which says nothing about others
		is = answered
		l.foreign.Add(1)
		return reply{failed: true}, err
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return reply{}, context.Cause(ctx)
	}
	// The deadline of a connection can be noticed before that of the context that it is
	// taken from.
	late := call.Err() != nil || took >= patience
	if late && !l.fair(patience) {
		return reply{}, tooSoon(ctx)
	}
	is = failed
	l.failed.Add(1)
	return reply{failed: true, hurried: late && hurried}, unavailable(err)
}

// unavailable returns the error of a call that Redis has not answered. If a deadline has passed,
// that was none of the caller's, so it is not in the chain.
func unavailable(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

var (
	errResting = fmt.Errorf("%w, and is not asked again for a moment", ErrUnavailable)
	errHurried = fmt.Errorf("%w before the deadline", ErrUnavailable)
	errTooSoon = fmt.Errorf("redislimit: the deadline comes before an answer of Redis can: %w", context.DeadlineExceeded)
)

// tooSoon returns the cause of ctx, whose deadline has not let Redis answer.
func tooSoon(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errTooSoon
}

// call runs the script.
func (l *Limiter[K]) call(ctx context.Context, k K, p *limits, args []any) (reply, error) {
	keys := append(make([]string, 0, 2), l.prefix+l.name(k))
	if l.parent != nil {
		keys = append(keys, l.parentKey)
	}
	is, err := script.Run(ctx, l.client, keys, args...).Slice()
	if err != nil {
		return reply{}, err
	}
	r, err := p.parse(is)
	if errors.Is(err, ErrForeign) {
		err = fmt.Errorf("%w: %q", ErrForeign, keys)
	}
	return r, err
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
	if len(is) > 1 {
		if _, nested := is[1].([]any); nested {
			return p.parseKeys(r, is[1:])
		}
	}
	err = p.read(&r, is[1:])
	return r, err
}

// parseKeys reads a table for each key.
func (p *limits) parseKeys(r reply, is []any) (reply, error) {
	own, parent, changed := p.own(), p.parent, false
	var debts []any
	for i, x := range is {
		table, _ := x.([]any)
		if len(table) < 4 {
			return r, errReply
		}
		ids, _ := table[0].(string)
		switch {
		case i == 0 && ids != p.ids:
			own, changed = windowsOf(ids), true
		case i > 0 && ids != parent.ids:
			parent, changed = limitsOf(windowsOf(ids), nil), true
		}
		for _, x := range table[1:4] {
			n, _ := x.(int64)
			r.mark = append(r.mark, float64(n))
		}
		debts = append(debts, table[4:]...)
	}
	if changed {
		r.limits = limitsOf(own, parent)
	}
	err := r.limits.read(&r, debts)
	return r, err
}

// read reads the debts of all windows.
func (p *limits) read(r *reply, is []any) error {
	r.debts = make([]amount, len(p.windows))
	for i := range p.windows {
		if len(is) < 2 {
			return errReply
		}
		whole, _ := is[0].(int64)
		part, _ := is[1].(int64)
		if whole < 0 || part < 0 {
			return errReply
		}
		r.debts[i], is = amount{uint64(whole), uint64(part)}, is[2:]
	}
	return nil
}

// A ticket is permits that were granted for later.
type ticket struct {
	n     uint64
	debts []amount
	mark  []float64 // nil if they can't be given back
}

// giveBack gives back as many as is safe of n permits of a ticket, and returns that number.
// If all of them are given back, the reservation is none any more.
func (l *Limiter[K]) giveBack(ctx context.Context, k K, t ticket, n uint64) (returned int, err error) {
	if t.mark == nil {
		return 0, nil
	}
	var mark []float64
	for i := 0; i < len(t.mark); i += 3 {
		mark = append(mark, t.mark[i:i+3]...)
		mark = append(mark, map[bool]float64{true: 1}[n == t.n])
	}
	r, err := l.ask(ctx, k, l.limitsIn(k), claim{n: n, op: opSettle, mark: mark}, 0)
	return int(r.more), err
}
