package debug

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/ratelimit"
)

// LogErrors returns a function for pool.WithErrorHandler that logs the errors of tasks that no one
// waits for, with the name of the pool and the context of the task: a panic as an Error with its
// stack, a task that never started as a Warn, such as after a Shutdown that had to cancel, and any
// other as an Error. With a handler, Close and Shutdown do not return these errors, and such a panic does not
// end the program. LogErrors panics if l is nil.
func LogErrors(l *slog.Logger, pool string) func(ctx context.Context, err error) {
	misuse.Nil(l == nil, "debug: LogErrors: logger")
	return func(ctx context.Context, err error) { logError(ctx, l, pool, err) }
}

func logError(ctx context.Context, l *slog.Logger, name string, err error) {
	at := slog.String("pool", name)
	err = outcome.Sound(err)
	if p, ok := errors.AsType[*pool.PanicError](err); ok {
		l.LogAttrs(ctx, slog.LevelError, "a task panicked", at, slog.Any("error", err), slog.String("stack", string(p.Stack)))
		return
	}
	if errors.Is(err, pool.ErrNotStarted) {
		l.LogAttrs(ctx, slog.LevelWarn, "a task never started", at, slog.Any("error", err))
		return
	}
	l.LogAttrs(ctx, slog.LevelError, "a task failed", at, slog.Any("error", err))
}

// LogLag returns a function for broadcast.WithLagHandler that logs subscriptions which have fallen
// behind, as a Warn with the name of the broadcast. The sender calls it, so l should be quick.
// LogLag panics if l is nil.
func LogLag(l *slog.Logger, broadcast string) func(subscription string, backlog uint64) {
	misuse.Nil(l == nil, "debug: LogLag: logger")
	return func(subscription string, backlog uint64) {
		l.LogAttrs(context.Background(), slog.LevelWarn, "a subscription lags",
			slog.String("broadcast", broadcast), slog.String("subscription", subscription), slog.Uint64("backlog", backlog))
	}
}

// LogGaps returns walk, the All of a subscription, and logs as a Warn that the subscription has
// missed values, or was cut off since it was too slow. LogGaps panics if l or walk is nil.
func LogGaps[T any](l *slog.Logger, subscription string, walk iter.Seq2[T, error]) iter.Seq2[T, error] {
	misuse.Nil(l == nil, "debug: LogGaps: logger")
	misuse.Nil(walk == nil, "debug: LogGaps: walk")
	at := slog.String("subscription", subscription)
	return func(yield func(T, error) bool) {
		for v, err := range walk {
			if gap, ok := errors.AsType[*broadcast.GapError](err); ok {
				l.LogAttrs(context.Background(), slog.LevelWarn, "a subscription has missed values", at, slog.Uint64("missed", gap.Missed))
			} else if errors.Is(err, broadcast.ErrSlow) {
				l.LogAttrs(context.Background(), slog.LevelWarn, "a subscription was cut off", at, slog.Any("error", err))
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

// LogDenial returns t, and logs its first denial as a Warn, with the context of that call. It does
// not log the key. LogDenial panics if l or t is nil.
func LogDenial[K comparable](l *slog.Logger, limiter string, t ratelimit.Taker[K]) ratelimit.Taker[K] {
	misuse.Nil(l == nil, "debug: LogDenial: logger")
	misuse.Nil(t == nil, "debug: LogDenial: limiter")
	return &denial[K]{Taker: t, logger: l, limiter: limiter}
}

// A denial is a Taker that logs the first one.
type denial[K comparable] struct {
	ratelimit.Taker[K]
	logger  *slog.Logger
	limiter string
	first   sync.Once
}

func (x *denial[K]) Take(ctx context.Context, k K, n int) (ratelimit.Decision, error) {
	d, err := x.Taker.Take(ctx, k, n)
	if err == nil && !d.OK {
		x.first.Do(func() {
			x.logger.LogAttrs(ctx, slog.LevelWarn, "a limiter has denied its first call", slog.String("limiter", x.limiter), slog.Duration("retry after", d.RetryAfter))
		})
	}
	return d, err
}

// LogShutdown calls p.Shutdown with ctx and returns its error. If ctx has ended before the tasks of p,
// it logs that as a Warn: they were cancelled. p is a pool, or anything else that is shut down.
// LogShutdown panics if l or p is nil.
func LogShutdown(ctx context.Context, l *slog.Logger, name string, p interface{ Shutdown(context.Context) error }) error {
	misuse.Nil(l == nil, "debug: LogShutdown: logger")
	misuse.Nil(p == nil, "debug: LogShutdown: "+name)
	err := p.Shutdown(ctx)
	if err != nil && errors.Is(err, context.Cause(ctx)) {
		l.LogAttrs(ctx, slog.LevelWarn, "a shutdown had to cancel", slog.String("of", name), slog.Any("error", err))
	}
	return err
}
