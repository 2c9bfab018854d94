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

// script is known to Redis by its hash. Where it is not, since the server is new or
// its scripts were flushed, it is sent along.
var script = redis.NewScript(source)

// A reply is what Redis has said.
type reply struct {
	ok     bool     // the permits are granted
	more   uint64   // so many more are
	debts  []amount // what is owed in each window
	failed bool     // it has said nothing
}

// ask takes n permits of k, all or none, and up to so many more. If Redis does not
// answer, reply says that it has failed; otherwise an error is the cause of ctx.
func (l *Limiter[K]) ask(ctx context.Context, k K, p *limits, n, more uint64) (reply, error) {
	ok, probe := l.breaker.enter(l.now())
	if !ok {
		return reply{failed: true}, errResting
	}
	is := unknown // should the client panic
	defer func() { l.breaker.leave(probe, is, l.now()) }()
	l.calls.Add(1)
	r, err := l.call(ctx, l.prefix+l.name(k), p, p.request(n, more))
	if err == nil {
		is = answered
		return r, nil
	}
	if errors.Is(err, ErrForeign) { // at this key, which says nothing about others
		is = answered
		l.foreign.Add(1)
		return reply{failed: true}, err
	}
	if cause := causeOf(ctx); cause != nil {
		return reply{}, cause
	}
	is = failed
	l.failed.Add(1)
	return reply{failed: true}, fmt.Errorf("%w: %w", ErrUnavailable, err)
}

var errResting = fmt.Errorf("%w, and is not asked again for a moment", ErrUnavailable)

func (l *Limiter[K]) call(ctx context.Context, key string, p *limits, args []any) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	is, err := script.Run(ctx, l.client, []string{key}, args...).Int64Slice()
	if err != nil {
		return reply{}, err
	}
	if len(is) > 0 && is[0] == -2 {
		return reply{}, fmt.Errorf("%w: %q", ErrForeign, key)
	}
	r := reply{debts: make([]amount, len(p.windows))}
	if len(is) > 0 {
		r.ok, r.more = is[0] >= 0, uint64(max(is[0], 0))
		is = is[1:]
	}
	for i := range p.windows {
		if p.windows[i].unlimited {
			continue
		}
		if len(is) < 2 || is[0] < 0 || is[1] < 0 {
			return reply{}, errors.New("what the script returns is not its own")
		}
		r.debts[i] = amount{uint64(is[0]), uint64(is[1])}
		is = is[2:]
	}
	return r, nil
}

// causeOf returns the cause of ctx if that has ended. The deadline of a connection
// can be noticed before that of the context that it is taken from.
func causeOf(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}
