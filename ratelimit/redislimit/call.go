package redislimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed take.lua
	takeSource string
	//go:embed back.lua
	backSource string
)

// The scripts are known to Redis by their hashes. Where one is not, since the server is
// new or its scripts were flushed, it is sent along.
var (
	script     = redis.NewScript(takeSource)
	backScript = redis.NewScript(backSource)
)

// A reply is what Redis has said.
type reply struct {
	ok      bool     // the permits are granted
	more    uint64   // so many more are
	debts   []amount // what is owed in each window
	value   string   // what the script has left, if the caller has to wait
	failed  bool     // it has said nothing
	hurried bool     // it had less than the timeout, since the caller's deadline is soon
}

// leastTime is what Redis must have had at least for a call to say that it does not
// answer.
const leastTime = time.Millisecond

// patience returns for how long Redis is waited for under ctx. Of what is left until the
// deadline of ctx a quarter is kept for what happens if it does not answer.
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
	r, err := l.call(call, l.prefix+l.name(k), p, p.request(c, more))
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
	return reply{failed: true, hurried: late && hurried}, fmt.Errorf("%w: %w", ErrUnavailable, err)
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
func (l *Limiter[K]) call(ctx context.Context, key string, p *limits, args []any) (reply, error) {
	is, err := script.Run(ctx, l.client, []string{key}, args...).Slice()
	if err != nil {
		return reply{}, err
	}
	numbers := make([]int64, 0, 1+2*len(p.windows))
	r := reply{debts: make([]amount, len(p.windows))}
	for _, x := range is {
		switch x := x.(type) {
		case int64:
			numbers = append(numbers, x)
		case string:
			r.value = x
		}
	}
	if len(numbers) > 0 && numbers[0] == -2 {
		return reply{}, fmt.Errorf("%w: %q", ErrForeign, key)
	}
	if len(numbers) > 0 {
		r.ok, r.more = numbers[0] >= 0, uint64(max(numbers[0], 0))
		numbers = numbers[1:]
	}
	for i := range p.windows {
		if p.windows[i].unlimited {
			continue
		}
		if len(numbers) < 2 || numbers[0] < 0 || numbers[1] < 0 {
			return reply{}, errors.New("what the script returns is not its own")
		}
		r.debts[i] = amount{uint64(numbers[0]), uint64(numbers[1])}
		numbers = numbers[2:]
	}
	return r, nil
}

// giveBack gives back what was granted for later, if nobody has come since. Otherwise, or
// if Redis does not answer, it stays spent. The caller's context may have ended.
func (l *Limiter[K]) giveBack(ctx context.Context, x ticket) {
	if state, _ := l.breaker.state(); x.value == "" || state != Closed {
		return
	}
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
	defer cancel()
	l.calls.Add(1)
	if err := backScript.Run(call, l.client, []string{x.key}, x.back()...).Err(); err != nil {
		l.failed.Add(1)
	}
}
