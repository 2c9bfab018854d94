package pipeline

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tandemgo/tandem/internal/outcome"
	"github.com/tandemgo/tandem/internal/point"
)

// How a run works.
//
// A Stage is a recipe: a function that puts it into a run in front of an outlet,
// and returns the outlet of the stage before. A chain is connected from the
// sink to the source, since the stages upstream of a Take live in a context that
// Take ends. Only then are goroutines started.
//
// Between goroutines there are hops, each with a link ([link.Link]): a bounded
// queue on which an item is published with one atomic operation and taken with
// none, as a rule. A stage of one worker is a goroutine that receives from a hop
// and calls the stage's outlet, which calls the next one's if they are fused, or
// sends to a hop. A stage of several workers is a [link.Crew] between two hops.
//
// A scope is, at its heart, a context. All stages share the run's, but those
// upstream of a Take live in one of their own, which Take ends when it has
// enough: quietly, while downstream goes on. The run's context ends with the
// first error, with the caller's context, and when the caller leaves.
//
// Each hop has one owner of its sending end, which closes it at a clean end and
// only then. A goroutine that stops because its scope has ended closes nothing:
// the stage downstream is in the same scope, or is the Take that ended it and
// receives no more. So a closed link always means that all has been sent.
//
// A goroutine parks on a link, a gate or a timer. At a link both ends leave with
// the context that the sender lives in: when that has ended, nothing that could still
// come is wanted, by a Take on whatever goroutine. The bell of a context wakes
// everything that is parked on a link when that ends. The call that started the run
// waits for all goroutines before it returns.
type run struct {
	caller context.Context
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	whole *bell // of ctx
	bells map[context.Context]*bell
	tolls sync.WaitGroup // bells that may ring

	prepares []func() // before the goroutines start, when no link changes any more
	begun    []func() // after that
	starts   []func() // the goroutines
	settles  []func() // when they have: values that are left over are counted
	finals   []func() // then, each on a goroutine: functions of the user that the end of a run calls
	ended    []func() // at the very end

	failed atomic.Bool // or has been interrupted
	mu     sync.Mutex
	others []error // behind the first one, which is the cause of ctx
}

func newRun(caller context.Context) *run {
	r := &run{caller: caller}
	r.ctx, r.cancel = context.WithCancelCause(caller)
	r.whole = r.bell(r.ctx)
	return r
}

// within returns a context for the stages upstream of one that lives in ctx, and a
// function that ends it when the stage has enough. It is called before the
// goroutines start.
func (r *run) within(ctx context.Context) (inner context.Context, enough func()) {
	inner, cancel := context.WithCancelCause(ctx)
	b, outer := r.bell(inner), r.bell(ctx)
	outer.within = append(outer.within, b)
	return inner, func() {
		b.end()
		cancel(errEnough)
	}
}

// stop ends the run with this cause, if nothing else has.
func (r *run) stop(cause error) {
	r.whole.end()
	r.cancel(cause)
}

// prepare has fn called before the goroutines start.
func (r *run) prepare(fn func()) { r.prepares = append(r.prepares, fn) }

// settle has fn called when all goroutines have ended, before those of stages that were
// connected earlier, which are further downstream.
func (r *run) settle(fn func()) { r.settles = append(r.settles, fn) }

// finally has fn called on a goroutine of its own when all others have ended, also in a
// run that has failed. fn calls a function of the user.
func (r *run) finally(fn func()) { r.finals = append(r.finals, fn) }

// spawn has a goroutine started with the others, see begin.
func (r *run) spawn(loop func()) { r.starts = append(r.starts, loop) }

// start starts the connected stages.
func (r *run) start() {
	for _, fn := range r.prepares {
		fn()
	}
	r.hangBells()
	for _, fn := range r.begun {
		fn()
	}
	for _, loop := range r.starts {
		r.begin(loop)
	}
	r.prepares, r.begun, r.starts = nil, nil, nil
}

// begin starts a goroutine of the run. When user code ends it by Goexit, loop is
// called again on a new one: it keeps its state outside.
func (r *run) begin(loop func()) {
	r.wg.Add(1)
	outcome.Spawn(loop, r.wg.Done)
}

// fail ends the run with an error of the named stage for its item number index, -1 for
// none. It is the first error if it becomes the cause of the run's context. Later ones are
// joined to that, and those that only follow from the end of the run are dropped.
//
// It reports whether err was recorded.
func (r *run) fail(stage string, index int, err error) bool {
	r.failed.Store(true)
	if follows(err, r.ctx) {
		r.interrupted()
		return false
	}
	own := &StageError{stage, index, err}
	point.At("pipeline: before the run ends")
	if r.stop(own); context.Cause(r.ctx) != own {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.others = append(r.others, own)
	}
	return true
}

// interrupted records that a goroutine of the run has stopped before its end,
// if the caller's context is why.
func (r *run) interrupted() {
	if r.caller.Err() != nil {
		r.failed.Store(true)
		r.stop(context.Cause(r.caller)) // a context of the user's may take its time to do so
	}
}

// end waits for all goroutines and returns the error of the run. left cancels
// them before: the caller wants no more.
func (r *run) end(left bool) error {
	if left {
		r.stop(errLeft)
	}
	r.wg.Wait()
	for _, fn := range slices.Backward(r.settles) {
		fn()
	}
	for _, fn := range r.finals {
		r.begin(fn)
	}
	r.settles, r.finals = nil, nil
	r.wg.Wait()
	point.At("pipeline: before the bells are stopped")
	for _, b := range r.bells {
		if b.stop() {
			r.tolls.Done()
		}
	}
	r.tolls.Wait()
	r.cancel(nil)
	for _, fn := range r.ended {
		fn()
	}
	r.ended = nil
	r.mu.Lock() // a goroutine that a FlatMap has left behind may fail late
	errs := r.others
	r.mu.Unlock()
	if first := context.Cause(r.ctx); r.failed.Load() && first != errLeft {
		errs = append([]error{first}, errs...)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// follows reports whether err says no more than that ctx has ended.
func follows(err error, ctx context.Context) bool {
	return ctx.Err() != nil &&
		(errors.Is(err, context.Canceled) || errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}

// A scope is the part of a run that a stage is connected in.
type scope struct {
	run   *run
	ctx   context.Context
	rec   *record // nil if the run is not observed
	index int     // of the stage, in rec
	team  *team   // the goroutines of the stage; nil if the run is not observed
	// exactly says that each item must give one, as in a branch of Zip.
	exactly bool
}

// at is the scope of a stage n stages further on.
func (s scope) at(n int) scope {
	s.index += n
	return s
}

// under is the scope of the stage before one that has it live in ctx.
func (s scope) under(ctx context.Context) scope {
	s.ctx = ctx
	return s
}

// fail is run.fail, unless the stages downstream have enough anyway.
func (s scope) fail(stage string, index int, err error) (recorded bool) {
	return context.Cause(s.ctx) != errEnough && s.run.fail(stage, index, err)
}

// cause returns why ctx ends. Its bell may have said so a moment before: then cause
// waits for that moment, since no error may be taken for one that has nothing to do with
// the end.
func cause(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}
