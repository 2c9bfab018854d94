package pipeline

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
)

// An Option changes how a stage works. Every stage takes [WithName]. Stages that call a
// function for each item take the others, too; [Stateful] takes neither [WithWorkers] nor
// [WithRetry]. A stage panics if it is given an option that does not apply to it. A nil
// Option is ignored.
type Option func(*options)

type options struct {
	workers   int
	unordered bool
	retry     RetryPolicy
	onError   func(error) ErrorAction
	name      string
	timeout   time.Duration
	given     []string // the options other than WithName
}

// perItem are the options of stages that call a function for each item.
var perItem = []string{"WithWorkers", "Unordered", "WithTimeout", "WithErrorHandler", "WithRetry"}

// newOptions returns the options of a stage made by the named function of this package.
// It panics if one of them is among refused.
func newOptions(call, name string, opts []Option, refused ...string) options {
	o := options{workers: 1, name: name, retry: RetryPolicy{Attempts: 1}}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	for _, given := range o.given {
		if slices.Contains(refused, given) {
			panic("pipeline: " + call + ": " + given + " does not apply to this stage")
		}
	}
	return o
}

// named returns the node of a stage that takes no option other than WithName.
func named(call, name, detail string, opts []Option) node {
	return node{name: newOptions(call, name, opts, perItem...).name, detail: detail}
}

func option(name string, set func(*options)) Option {
	return func(o *options) {
		o.given = append(o.given, name)
		set(o)
	}
}

// WithWorkers sets how many items the stage works on at once. The default is 1. Output
// keeps the order of the input unless the stage is [Unordered]: a result waits until all
// results before it have been sent. Workers stay busy meanwhile, until as many items are
// in work or waiting as the way to the next stage holds: 2n, at least 16, and more while
// items are quick; 2n more than the size of a [Buffer] if there is one. The stage starts a
// goroutine when there is work for it. WithWorkers panics if n is less than 1.
func WithWorkers(n int) Option {
	misuse.Below(n, 1, "pipeline: WithWorkers: workers")
	return option("WithWorkers", func(o *options) { o.workers = n })
}

// Unordered sends results as soon as they are ready. The default is the order of the
// input. It changes nothing without [WithWorkers].
func Unordered() Option { return option("Unordered", func(o *options) { o.unordered = true }) }

// WithName sets the name of the stage in errors, pictures and statistics. The default is
// its kind, such as "map".
func WithName(s string) Option { return func(o *options) { o.name = s } }

// WithTimeout bounds each call of the stage's function. The context of the call ends after
// d. If the call then returns an error, the item fails with an error that wraps this one
// and [context.DeadlineExceeded]. With [WithRetry], d bounds each attempt. The default is
// no limit. WithTimeout panics if d is not positive.
func WithTimeout(d time.Duration) Option {
	misuse.NotPositive(d, "pipeline: WithTimeout: duration")
	return option("WithTimeout", func(o *options) { o.timeout = d })
}

// An ErrorAction is the action of a stage on an item that failed.
type ErrorAction int

const (
	// Stop ends the run with the error of the item.
	Stop ErrorAction = iota
	// Skip drops the item and counts it as skipped.
	Skip
)

// String returns the name of the constant.
func (a ErrorAction) String() string {
	switch a {
	case Stop:
		return "Stop"
	case Skip:
		return "Skip"
	}
	return fmt.Sprintf("ErrorAction(%d)", int(a))
}

// MarshalText returns the name, so that it stands in logs and JSON.
func (a ErrorAction) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// WithErrorHandler sets a function that receives the error of each item that failed, after
// the last attempt and after the second function of [MapOr], and returns the
// action to take. It receives no error that only follows from the end of the run. A stage with several
// workers may call it from several goroutines at once. The default is to [Stop].
// WithErrorHandler panics if fn is nil.
func WithErrorHandler(fn func(error) ErrorAction) Option {
	misuse.Nil(fn == nil, "pipeline: WithErrorHandler: function")
	return option("WithErrorHandler", func(o *options) { o.onError = fn })
}

// A RetryPolicy sets how often and how soon a failed item is tried again. The pause
// before retry number n is chosen at random below Delay·2ⁿ⁻¹, bounded by MaxDelay:
// exponential backoff with full jitter, after Marc Brooker, "Exponential Backoff And
// Jitter", AWS Architecture Blog, 2015. An error that asks for a pause, see [RetryAfter],
// gets that pause instead.
type RetryPolicy struct {
	Attempts int           // calls in all, at least 1
	Delay    time.Duration // bound of the first pause
	MaxDelay time.Duration // bound of any pause; 0 means none
}

// WithRetry tries an item that failed again. There is no further attempt after an error
// made by [Permanent], [ErrSkip], a panic or [runtime.Goexit], after a call of a FlatMap
// that has emitted, and once the run has ended. The item fails with the error of the last
// attempt. If that error only says that time was up, it is joined with the last error of
// the function itself. If the run ends during a pause, the error of the item is joined to
// that of the run. An item in a pause keeps its worker, so long pauses need more workers. The
// default is no retry. WithRetry panics if Attempts is less than 1 or
// a duration is negative.
func WithRetry(p RetryPolicy) Option {
	misuse.Below(p.Attempts, 1, "pipeline: WithRetry: Attempts")
	misuse.Negative(p.Delay, "pipeline: WithRetry: Delay")
	misuse.Negative(p.MaxDelay, "pipeline: WithRetry: MaxDelay")
	return option("WithRetry", func(o *options) { o.retry = p })
}

// pause returns how long to wait before retry number n, from 1, after err.
func (p RetryPolicy) pause(n int, err error) time.Duration {
	if asks, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok {
		return asks.RetryAfter()
	}
	bound := p.Delay
	for i := 1; i < n && bound > 0 && bound < 1<<61; i++ {
		bound *= 2
	}
	if p.MaxDelay > 0 {
		bound = min(bound, p.MaxDelay)
	}
	if bound <= 0 {
		return 0
	}
	return rand.N(bound)
}
