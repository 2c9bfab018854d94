package pipeline

import (
	"context"
	"iter"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/sched"
)

// Names of the ends of a chain, in errors.
const (
	sourceName = "source"
	sinkName   = "sink"
)

// Run returns the results of running s on the items of src. Nothing is started before the
// loop over them; each loop is a run of its own. The loop body runs on the goroutine of
// the caller, the source and the stages on others. If the run fails, the last pair is a
// zero value and the error. However the loop ends, all goroutines of the run have ended
// when it does: leaving it early cancels them, and drops their later results. Run panics
// if ctx or src is nil.
func (s Stage[In, Out]) Run(ctx context.Context, src Source[In]) iter.Seq2[Out, error] {
	s.check(ctx, "Run", src == nil)
	return func(yield func(Out, error) bool) {
		r, out := s.start(ctx, src)
		over := false
		defer func() {
			if !over { // break, panic or Goexit of the loop body
				_ = r.end(true)
			}
		}()
		for v, ok := receive(r, out); ok; v, ok = receive(r, out) {
			if !yield(v, nil) {
				return
			}
		}
		err := r.end(false)
		over = true
		if err != nil {
			var zero Out
			yield(zero, err)
		}
	}
}

// ForEach runs s on the items of src and calls fn with each result, on the goroutine of
// the caller. It returns the error of the run, or of fn, once all goroutines have ended.
// If fn calls runtime.Goexit, that ends the caller, as in a plain loop. No Option applies
// to fn: for a sink with workers, or one that is tried again, append a [Map] to s. ForEach
// panics if ctx, src or fn is nil.
func (s Stage[In, Out]) ForEach(ctx context.Context, src Source[In], fn func(context.Context, Out) error) (err error) {
	s.check(ctx, "ForEach", src == nil)
	misuse.Nil(fn == nil, "pipeline: ForEach: function")
	r, out := s.start(ctx, src)
	defer func() { err = r.end(false) }()
	index := -1
	sink := func(ctx context.Context, v Out) (none struct{}, err error) { return none, fn(ctx, v) }
	exited := func() { r.fail(sinkName, index, ErrGoexit) }
	for v, ok := receive(r, out); ok; v, ok = receive(r, out) {
		index++
		if _, failed := outcome.Call(r.life.Context, sink, v, exited); failed != nil && !skips(failed) {
			r.fail(sinkName, index, failed)
		}
	}
	return nil
}

// Collect runs s on the items of src and returns the results in a slice. If the run fails,
// it returns the results up to then and the error.
func (s Stage[In, Out]) Collect(ctx context.Context, src Source[In]) ([]Out, error) {
	s.check(ctx, "Collect", src == nil)
	var all []Out
	for v, err := range s.Run(ctx, src) {
		if err != nil {
			return all, err
		}
		all = append(all, v)
	}
	return all, nil
}

// Execute runs s on the items received from in, until in is closed, and sends the results on
// the channel it returns. It closes that channel when the run has ended; wait blocks until
// then and returns the error of the run, any number of times. The run starts at once. It
// ends early with ctx, and a caller that stops receiving must end ctx; in is not drained
// then. Execute panics if ctx or in is nil.
func (s Stage[In, Out]) Execute(ctx context.Context, in <-chan In) (out <-chan Out, wait func() error) {
	s.check(ctx, "Execute", in == nil)
	r, results := s.start(ctx, Chan(in))
	ch := make(chan Out)
	done := make(chan struct{})
	var err error
	go func() {
		for v, ok := receive(r, results); ok; v, ok = receive(r, results) {
			sched.Opaque("a result is sent to the caller")
			if ctxselect.Send(r.life.Context, ch, v) != nil {
				results.giveBack(v)
				r.interrupted()
				break
			}
		}
		err = r.end(false)
		sched.Opaque("Execute ends")
		close(ch)
		close(done)
	}()
	return ch, func() error {
		sched.Opaque("wait")
		<-done
		return err
	}
}

func (s Stage[In, Out]) check(ctx context.Context, call string, noInput bool) {
	s.require(call)
	ctxselect.Require(ctx, "pipeline: "+call)
	misuse.Nil(noInput, "pipeline: "+call+": input")
}

// start starts a run on src.
func (s Stage[In, Out]) start(ctx context.Context, src Source[In]) (*run, *edge[Out]) {
	r := newRun(ctx)
	out := newEdge[Out](r.life)
	up, in := s.connect(scope{run: r, life: r.life}, out)
	feed := scope{run: r, life: up}
	started := false
	r.spawn(func() {
		if started {
			return // called again after a Goexit in the source
		}
		started = true
		if sched.Err(up.Context) != nil {
			r.interrupted()
			return
		}
		read := 0
		outcome.Run(
			func() (struct{}, error) {
				for v, err := range src(up.Context) {
					if err != nil {
						return struct{}{}, err
					}
					if sched.Err(up.Context) != nil { // there may be room for many more
						in.refuse(v)
						break
					}
					if in.send(v) != nil {
						break
					}
					read++
				}
				return struct{}{}, nil
			},
			func(_ struct{}, err error) {
				switch {
				case err != nil:
					feed.fail(sourceName, read, err)
				case sched.Err(up.Context) != nil: // the source may have left because of it
					r.interrupted()
				default:
					in.end()
				}
			})
	})
	r.start()
	return r, out
}

// receive returns the next result of a run, with ok == false when the run has
// come to its end or was cut short.
func receive[T any](r *run, out *edge[T]) (v T, ok bool) {
	if r.life.over.Load() {
		if v, ok = out.ring.TryPop(); ok {
			out.giveBack(v)
		}
		r.interrupted()
		return v, false
	}
	if v, ok = out.ring.TryPop(); !ok || out.ring.Fresh() { // as in edge.receive, without a call
		var err error
		if v, ok, err = out.look(v, ok); err != nil {
			r.interrupted()
		}
	}
	return v, ok
}
