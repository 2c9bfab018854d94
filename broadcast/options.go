package broadcast

import (
	"context"
	"fmt"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
)

const defaultCapacity = 1024

// An Option changes how [New] makes a broadcast.
type Option func(*options)

type options struct{ capacity int }

// WithCapacity sets how many values are retained: how far a subscription may
// fall behind before it misses something, and how many can be replayed. The
// default is 1024. It panics if n is less than 1.
func WithCapacity(n int) Option {
	misuse.Below(n, 1, "broadcast: WithCapacity: capacity")
	return func(o *options) { o.capacity = n }
}

// A Policy says what happens when a subscription has fallen behind by more than
// the capacity.
type Policy int

const (
	// SkipOldest goes on with the oldest value that is retained.
	SkipOldest Policy = iota
	// SkipToLatest goes on with the newest value. Until it has fallen so far behind,
	// a subscription reads every value: who wants nothing but the newest reads a
	// Broadcast with a capacity of 1, or a [Latest].
	SkipToLatest
	// Block lets it not come to that: senders wait. A subscription that is not read
	// any more must be closed, or they wait for ever.
	Block
	// Disconnect ends the subscription with ErrSlow.
	Disconnect
)

// A SubscribeOption changes how [Broadcast.Subscribe] makes a subscription.
type SubscribeOption func(*subscribeOptions)

type subscribeOptions struct {
	policy Policy
	replay int
	from   *uint64
	name   string
	ctx    context.Context
}

// OnOverflow sets the policy. The default is SkipOldest. It panics if p is not
// one of the policies of this package.
func OnOverflow(p Policy) SubscribeOption {
	if p < SkipOldest || p > Disconnect {
		panic(fmt.Sprintf("broadcast: OnOverflow: no such policy: %d", p))
	}
	return func(o *subscribeOptions) { o.policy = p }
}

// Replay makes the subscription begin with the last n values sent before it, or
// as many as are retained. Between them and the first new one there is neither
// a gap nor a repetition. The default is 0. It panics if n is negative.
func Replay(n int) SubscribeOption {
	misuse.Negative(n, "broadcast: Replay: number")
	return func(o *subscribeOptions) { o.replay = n }
}

// From makes the subscription begin with the value that has sequence number seq,
// see [Subscription.Seq]: a subscriber that comes back goes on where it was.
// Values that are no longer retained are a gap, as if it had been there and too
// slow. A number that has not been sent yet counts as that of the next value. It
// overrides Replay.
func From(seq uint64) SubscribeOption {
	return func(o *subscribeOptions) { o.from = &seq }
}

// Name sets the name of the subscription in Stats. Names need not differ. The
// default is "".
func Name(s string) SubscribeOption { return func(o *subscribeOptions) { o.name = s } }

// WithContext closes the subscription when ctx ends. Reading it then returns an
// error that wraps both ErrClosed and the cause of ctx. It panics if ctx is nil.
func WithContext(ctx context.Context) SubscribeOption {
	ctxselect.Require(ctx, "broadcast: WithContext")
	return func(o *subscribeOptions) { o.ctx = ctx }
}
