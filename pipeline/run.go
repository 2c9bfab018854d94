package pipeline

import (
	"context"
	"errors"
	"slices"

	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/stage"
)

// How a run works.
//
// A Stage is a recipe: a function that puts it into a run in front of a sink, and returns
// the sink of the stage before. A chain is connected from the
// sink to the source, since the stages upstream of a Take live in a context that
// Take ends. Only then are goroutines started.
//
// Between goroutines there are edges, each with a ring ([spsc.Ring]). A stage of one worker
// is a goroutine that receives from an edge and calls the sink of the stage, which calls
// the next one if they are fused, or is the next edge. A stage of several workers is a
// [stage.Workers] between two edges.
//
// All stages share the lifetime of the run, but those upstream of a Take live in one of
// their own, which Take ends when it has enough: downstream goes on. The lifetime of the
// run ends with the first error, with the caller's context, and when the caller leaves.
//
// The sender of an edge closes it at a clean end and only then. A goroutine that stops
// because its lifetime has ended closes nothing: the stage downstream is in the same
// lifetime, or is the Take that ended it and receives no more. So a closed edge always
// means that all items have been sent.
//
// A goroutine parks on a ring, a mutex or a timer. At a ring both ends leave with the
// lifetime of the sender: when that has ended, no item that could still come is wanted.
// The call that started the run waits for all goroutines before it returns.
type run struct {
	caller context.Context
	life   *lifetime
	group  *stage.Group

	lifetimes []*lifetime

	starts  []func() // the goroutines
	started bool
	settles []func() // when they have ended: values that are left over are counted
	finals  []func() // then, each on a goroutine: functions of the user that the end of a run calls
	ended   []func() // at the very end

	failed sched.Bool // or has been interrupted
	mu     sched.Mutex
	others []error // behind the first one, which is the cause of life
}

func newRun(caller context.Context) *run {
	r := &run{caller: caller, group: stage.NewGroup()}
	r.life = r.newLifetime(caller)
	return r
}

// settle has fn called when all goroutines have ended, before those of stages that were
// connected earlier, which are further downstream.
func (r *run) settle(fn func()) { r.settles = append(r.settles, fn) }

// finally has fn called on a goroutine of its own when all others have ended, also in a
// run that has failed. fn calls a function of the user.
func (r *run) finally(fn func()) { r.finals = append(r.finals, fn) }

// start starts the connected stages.
func (r *run) start() {
	for _, l := range r.lifetimes {
		l.watch()
	}
	starts := r.starts
	r.starts, r.started = nil, true
	for _, loop := range starts {
		r.spawn(loop)
	}
}

// spawn starts a goroutine of the run, when the run starts if it has not, see Group.Spawn.
func (r *run) spawn(loop func()) {
	if !r.started {
		r.starts = append(r.starts, loop)
		return
	}
	r.group.Spawn(loop)
}

// fail ends the run with an error of the named stage for its item number index, -1 for
// none. It is the first error if it becomes the cause of the run's context. Later ones are
// joined to that, and those that only follow from the end of the run are dropped.
//
// It reports whether err was recorded.
func (r *run) fail(name string, index int, err error) bool {
	r.failed.Store(true)
	if stage.Follows(err, r.life) {
		r.interrupted()
		return false
	}
	own := &StageError{name, index, err}
	if r.life.end(own); context.Cause(r.life) != own {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.others = append(r.others, own)
	}
	return true
}

// interrupted records that a goroutine of the run has stopped before its end,
// if the caller's context is why.
func (r *run) interrupted() {
	if sched.Err(r.caller) != nil {
		r.failed.Store(true)
		r.life.end(context.Cause(r.caller)) // a context of the user's may take its time to do so
	}
}

// end waits for all goroutines and returns the error of the run. left cancels
// them before: the caller wants no more.
func (r *run) end(left bool) error {
	if left {
		r.life.end(errLeft)
	}
	r.group.Wait()
	for _, fn := range slices.Backward(r.settles) {
		fn()
	}
	for _, fn := range r.finals {
		r.spawn(fn)
	}
	r.settles, r.finals = nil, nil
	r.group.Wait()
	for _, l := range r.lifetimes {
		l.stop()
	}
	r.life.end(nil)
	for _, fn := range r.ended {
		fn()
	}
	r.ended = nil
	r.mu.Lock() // a goroutine that a FlatMap has left behind may fail late
	errs := r.others
	r.mu.Unlock()
	if first := context.Cause(r.life); r.failed.Load() && first != errLeft {
		errs = append([]error{first}, errs...)
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// A scope is the part of a run that a stage is connected in.
type scope struct {
	run   *run
	life  *lifetime
	rec   *record // nil if the run is not observed
	index int     // of the stage, in rec
	team  *team   // the goroutines of the stage; nil if the run is not observed
	// exactly: each item must give one, as in a branch of Zip.
	exactly bool
}

// at is the scope of a stage n stages further on.
func (s scope) at(n int) scope {
	s.index += n
	return s
}

// under is the scope of the stage before one that has it live in l.
func (s scope) under(l *lifetime) scope {
	s.life = l
	return s
}

// fail is run.fail, unless the stages downstream have enough anyway.
func (s scope) fail(name string, index int, err error) (recorded bool) {
	return context.Cause(s.life) != errEnough && s.run.fail(name, index, err)
}
