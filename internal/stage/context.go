package stage

import (
	"context"
	"errors"

	"github.com/tandemgo/tandem/internal/sched"
)

// Watch calls f on a goroutine of its own when ctx ends. stop, which must be called once,
// keeps f from being called, or returns when f has returned.
func Watch(ctx context.Context, f func()) (stop func()) {
	called := make(chan struct{}, 1)
	unhook := sched.AfterFunc(ctx, func() {
		f()
		sched.Signal(called)
	})
	return func() {
		if !unhook() {
			sched.Park(called)
		}
	}
}

// Follows reports whether err is the end of ctx and nothing more.
func Follows(err error, ctx context.Context) bool {
	end := sched.Err(ctx)
	return end != nil && (errors.Is(err, context.Canceled) || errors.Is(err, end) || errors.Is(err, context.Cause(ctx)))
}
