package pipeline

import (
	"math/rand/v2"
	"time"

	"github.com/tandemgo/tandem/internal/misuse"
)

// An Option changes how a Map, Filter or FlatMap stage works.
type Option func(*options)

type options struct {
	workers   int
	unordered bool
	retry     Policy
	onError   func(error) Decision
	name      string
	timeout   time.Duration
	replace   any // func(error) (Out, error)
	letters   any // func(In, error) error
}

func newOptions(opts []Option) options {
	o := options{workers: 1, retry: Policy{Attempts: 1}}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Workers sets how many items the stage works on at once. The default is 1.
// Output keeps the order of input all the same, see Unordered: results that are
// ready early wait for those before them, and the workers stay busy until as
// many items are in work or waiting as the way to the next stage holds: 2n, at
// least 16, and more while items are quick, see Buffer; 2n besides what a Buffer
// says if there is one. Goroutines are started as there is work for them. It
// panics if n is less than 1.
func Workers(n int) Option {
	misuse.Below(n, 1, "pipeline: Workers: workers")
	return func(o *options) { o.workers = n }
}

// Unordered lets results through as they are ready. The default is the order
// of the input. Without Workers it changes nothing.
func Unordered() Option { return func(o *options) { o.unordered = true } }

// Name sets the name of the stage in errors, pictures and statistics. The
// default is its kind, such as "map".
func Name(s string) Option { return func(o *options) { o.name = s } }

// Timeout bounds each call of the stage's function: its context ends after d,
// and a call that then returns an error fails with one that wraps that error and
// [context.DeadlineExceeded]. With Retry each attempt has d. The default is no
// limit. It panics if d is not positive.
func Timeout(d time.Duration) Option {
	misuse.NotPositive(d, "pipeline: Timeout: duration")
	return func(o *options) { o.timeout = d }
}

// A Decision says what becomes of an item that failed.
type Decision int

const (
	// Stop ends the run with the item's error. It is the default.
	Stop Decision = iota
	// Skip drops the item, which is counted as skipped, and goes on.
	Skip
)

// OnError sets a function that sees the error of each item that failed, after
// the last retry, and decides what becomes of it. With Workers several calls at
// once are possible. It does not see what follows from the end of the run. The
// default is to Stop. It panics if fn is nil.
func OnError(fn func(error) Decision) Option {
	misuse.Nil(fn == nil, "pipeline: OnError: function")
	return func(o *options) { o.onError = fn }
}

// Replace sets a function that may put a value in the place of what an item that
// failed would have given, after the last retry: it returns the value, or an
// error, and then the item fails with that one and its own. It comes before OnError. Out is
// what the stage sends, and a stage of another type panics as it is made; so
// does FlatMap. It panics if fn is nil.
func Replace[Out any](fn func(err error) (Out, error)) Option {
	misuse.Nil(fn == nil, "pipeline: Replace: function")
	return func(o *options) { o.replace = fn }
}

// DeadLetter sets a function that is given each item that is skipped because it
// failed, and its error, to keep it elsewhere: those that OnError says to Skip,
// all that fail if there is no OnError. If it returns an error, that ends the
// run. With Workers several calls at once are possible. In is what the stage
// receives, behind a Batch a whole one, and a stage of another type panics as it is
// made. It panics if fn is nil.
func DeadLetter[In any](fn func(item In, err error) error) Option {
	misuse.Nil(fn == nil, "pipeline: DeadLetter: function")
	return func(o *options) { o.letters = fn }
}

// A Policy says how often and how soon a failed item is tried again. The pause
// before retry number n is chosen at random below Delay·2ⁿ⁻¹, bounded by
// MaxDelay: exponential backoff with full jitter, after Marc Brooker,
// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
type Policy struct {
	Attempts int           // calls in all, at least 1
	Delay    time.Duration // bound of the first pause
	MaxDelay time.Duration // bound of any pause; 0 means none
}

// Retry tries an item that failed again. What is not tried again: an error made by
// [Permanent], a call that panicked or called runtime.Goexit, a FlatMap call that
// has emitted, and anything once the run has ended. The item fails with the error of
// the last attempt; if that is only that time was up, also with the function's own error
// before. If the run ends during a pause, the item's error is joined to that of the run.
// The default is no retry. It panics if Attempts is less than 1 or a duration is
// negative.
func Retry(p Policy) Option {
	misuse.Below(p.Attempts, 1, "pipeline: Retry: Attempts")
	misuse.Negative(p.Delay, "pipeline: Retry: Delay")
	misuse.Negative(p.MaxDelay, "pipeline: Retry: MaxDelay")
	return func(o *options) { o.retry = p }
}

// pause returns how long to wait before retry number n, from 1.
func (p Policy) pause(n int) time.Duration {
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
