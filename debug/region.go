package debug

import (
	"context"
	"runtime/trace"

	"github.com/tandemgo/tandem/internal/misuse"
)

// Region returns fn with a task and a region of runtime/trace around each call, for pool.New,
// pipeline.Map, fan.Map and others that take such a function. They have the given name, and are
// made while a trace or a flight recorder runs. The task is a part of the one in the context of the
// call, such as that of the submitter. Otherwise a call costs the reading of a word, and allocates
// nothing. Region panics if fn is nil or name is empty.
func Region[In, Out any](name string, fn func(context.Context, In) (Out, error)) func(context.Context, In) (Out, error) {
	if name == "" {
		panic("debug: Region: name must not be empty")
	}
	misuse.Nil(fn == nil, "debug: Region: function")
	return func(ctx context.Context, in In) (Out, error) {
		if !trace.IsEnabled() {
			return fn(ctx, in)
		}
		ctx, task := trace.NewTask(ctx, name)
		defer task.End()
		defer trace.StartRegion(ctx, name).End()
		return fn(ctx, in)
	}
}
