package broadcast

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/misuse"
	"github.com/tandemgo/tandem/internal/sched"
)

// A Topics is a [Broadcast] for each key: a chat room, a user, a sensor. It is
// made by [NewTopics], must not be copied, and is safe for concurrent use.
//
// The broadcast of a key is made by the first Subscribe to it and gone with its
// last subscription, whether that was closed, ended by its context or as too
// slow, or forgotten and collected. So a key without subscriptions costs nothing;
// values that are sent to it are not kept, and can't be replayed.
//
// [Topics.SubscribeKeys] and [Topics.SubscribeFunc] subscribe to several keys at once.
// Such a subscription has a log of its own: Send writes the value to that of its key and
// to those of all subscriptions to several keys that it matches. All logs have the values
// of a key in the same order. Those of different keys are in one order for each
// subscription.
//
// A topic that is made anew goes on with numbers behind those of all topics that are
// gone, of any key. So a number never stands for two values of a key. A subscription
// that returns with [WithStart] after its topic was gone gets a [GapError] before the oldest
// value that is retained: at least 1 value is missing, and it is not known how many
// more, since values that are sent to a key without subscriptions are not counted. To
// have no such gap, keep a subscription to the key. A subscription to several keys that
// returns always has such a gap: to go on exactly, send to one Broadcast and filter.
type Topics[K comparable, T any] struct {
	opts []Option

	mu      sched.RWMutex
	own     map[K]*feed[K, T]     // those of one key
	routes  map[K][]*Broadcast[T] // the logs of a key, its own first; replaced, never changed
	matches []*feed[K, T]         // those with a function; replaced, never changed
	start   uint64                // of the numbers of a new feed: no feed that is gone has come there
	closed  bool
}

// absurd is more values than can have been sent. A number beyond it comes from elsewhere, such as
// the request of a client, and no topic is to begin there: it would soon be out of numbers.
const absurd = 1 << 62

// A feed is the log of a key, or of a subscription to several keys.
type feed[K comparable, T any] struct {
	b     *Broadcast[T]
	keys  []K
	match func(K) bool // nil if it has keys
	subs  int          // to b; Topics.mu
}

// NewTopics returns a Topics without keys. The options are those of each
// broadcast.
func NewTopics[K comparable, T any](opts ...Option) *Topics[K, T] {
	return &Topics[K, T]{opts: slices.Clone(opts), own: map[K]*feed[K, T]{}, routes: map[K][]*Broadcast[T]{}}
}

// Send sends v to all subscriptions to key, see [Broadcast.Send]. If there are
// none, it does nothing and returns nil.
func (t *Topics[K, T]) Send(ctx context.Context, key K, v T) error {
	_, err := t.send(ctx, "broadcast: Topics.Send", key, []T{v})
	return err
}

// TrySend is Send that does not wait: it returns ErrFull instead.
func (t *Topics[K, T]) TrySend(key K, v T) error {
	logs, err := t.find("broadcast: Topics.TrySend", key)
	if len(logs) == 0 {
		return err
	}
	return logs[0].send(context.Background(), &batch[T]{left: []T{v}, also: logs[1:], try: true})
}

// SendBatch is Send for several values, in order, see [Broadcast.SendBatch].
func (t *Topics[K, T]) SendBatch(ctx context.Context, key K, vs []T) (int, error) {
	return t.send(ctx, "broadcast: Topics.SendBatch", key, vs)
}

// send is Send and SendBatch.
func (t *Topics[K, T]) send(ctx context.Context, call string, key K, vs []T) (int, error) {
	ctxselect.Require(ctx, call)
	if sched.Err(ctx) != nil {
		return 0, context.Cause(ctx)
	}
	logs, err := t.find(call, key)
	switch {
	case err != nil:
		return 0, err
	case len(logs) == 0:
		return len(vs), nil
	}
	return logs[0].sendBatch(ctx, vs, logs[1:])
}

// find returns the logs of key: its own first, then those of feeds with a list, then those
// with a function, each in the order of Subscribe.
func (t *Topics[K, T]) find(call string, key K) ([]*Broadcast[T], error) {
	t.require(call)
	logs, matches, closed := t.look(key)
	if closed {
		return nil, ErrClosed
	}
	logs = slices.Clip(logs)
	for _, x := range matches {
		if x.match(key) { // under no lock
			logs = append(logs, x.b)
		}
	}
	return logs, nil
}

// look returns the logs of key, and the feeds with a function.
func (t *Topics[K, T]) look(key K) (logs []*Broadcast[T], matches []*feed[K, T], closed bool) {
	t.mu.RLock()
	defer t.mu.RUnlock() // also if K is an interface, and key cannot be compared
	return t.routes[key], t.matches, t.closed
}

// feed returns the feed of key alone, or nil.
func (t *Topics[K, T]) feed(key K) *feed[K, T] {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.own[key]
}

// require panics if t is the zero Topics.
func (t *Topics[K, T]) require(call string) {
	misuse.Zero(t.own == nil, call, "Topics", "NewTopics")
}

// Subscribe returns a new subscription to the values that are sent to key from now on. It
// returns ErrClosed when the Topics are closed. It panics if key is not equal to
// itself, as a NaN: no Send could find it.
func (t *Topics[K, T]) Subscribe(key K, opts ...SubscribeOption) (*Subscription[T], error) {
	return t.subscribe("Subscribe", &feed[K, T]{keys: []K{key}}, true, opts)
}

// SubscribeKeys returns a new subscription to the values that are sent to any of the keys
// from now on. Send to one of the keys costs a write more. With [WithStart] it begins
// with a [GapError], see [Topics]; [WithReplay] finds nothing. It returns ErrClosed when
// the Topics are closed. It panics if the policy is Block, since a Send to one key must
// not wait for readers of another; use Grow. It panics if a key is not equal to itself.
func (t *Topics[K, T]) SubscribeKeys(keys []K, opts ...SubscribeOption) (*Subscription[T], error) {
	x := &feed[K, T]{keys: slices.Clone(keys)}
	if len(keys) == 0 { // Close must find it
		x.match = func(K) bool { return false }
	}
	return t.subscribe("SubscribeKeys", x, false, opts)
}

// SubscribeFunc is SubscribeKeys for all keys that match, now and later. Each Send calls
// match, under no lock, on the goroutine of the sender: it must be fast, and may call the
// methods that do not block. A panic in it goes to the caller of Send. SubscribeFunc
// panics if match is nil.
func (t *Topics[K, T]) SubscribeFunc(match func(K) bool, opts ...SubscribeOption) (*Subscription[T], error) {
	misuse.Nil(match == nil, "broadcast: Topics.SubscribeFunc: function")
	return t.subscribe("SubscribeFunc", &feed[K, T]{match: match}, false, opts)
}

// subscribe returns a subscription to x, which is the feed of one key if it is own. Then the
// subscription is to the feed of the key that is there already, if one is.
func (t *Topics[K, T]) subscribe(call string, x *feed[K, T], own bool, opts []SubscribeOption) (*Subscription[T], error) {
	t.require("broadcast: Topics." + call)
	for _, key := range x.keys {
		if key != key { //nolint:staticcheck // that is what is asked
			panic(fmt.Sprintf("broadcast: Topics.%s: key must be equal to itself, got %v", call, key))
		}
	}
	o := apply(subscribeOptions{}, opts)
	if o.policy == Block && !own {
		panic("broadcast: Topics." + call + ": policy must not be Block, got Block")
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, ErrClosed
	}
	if own && t.own[x.keys[0]] != nil {
		x = t.own[x.keys[0]]
	} else {
		t.addLocked(x, own, o.start)
	}
	x.subs++ // from here on it stays
	t.mu.Unlock()
	leave := func() { t.leave(x) }
	s, err := x.b.subscribe(leave, o)
	if err != nil {
		leave()
	}
	return s, err
}

// addLocked adds x to the feeds. From is where a subscription to several keys has been in another feed.
func (t *Topics[K, T]) addLocked(x *feed[K, T], own bool, from *uint64) {
	start := t.start
	if from != nil && !own && *from < absurd {
		start = max(start, *from+1)
	}
	x.b = newFrom[T](start, t.opts)
	for _, key := range x.keys {
		switch logs := t.routes[key]; {
		case own:
			t.own[key], t.routes[key] = x, append([]*Broadcast[T]{x.b}, logs...)
		case !slices.Contains(logs, x.b):
			t.routes[key] = append(slices.Clip(logs), x.b)
		}
	}
	if x.match != nil {
		t.matches = append(slices.Clip(t.matches), x)
	}
}

// leave is called when a subscription to x has ended. The last one takes x along.
func (t *Topics[K, T]) leave(x *feed[K, T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x.subs--; x.subs > 0 {
		return
	}
	t.matches = without(t.matches, x)
	for _, key := range x.keys {
		if t.own[key] == x {
			delete(t.own, key)
		}
		if t.routes[key] = without(t.routes[key], x.b); len(t.routes[key]) == 0 {
			delete(t.routes, key)
		}
	}
	// Behind all places at which its subscriptions can have been, and not at the last of
	// them: a subscription that was there would not know of the values sent since.
	t.start = max(t.start, x.b.log.published.Load()/publishOne+1)
}

// without returns a copy of list without x.
func without[E comparable](list []E, x E) []E {
	return slices.DeleteFunc(slices.Clone(list), func(y E) bool { return x == y })
}

// Keys walks the keys that have subscriptions, as of when the walk begins, in no
// order.
func (t *Topics[K, T]) Keys() iter.Seq[K] {
	t.require("broadcast: Topics.Keys")
	return func(yield func(K) bool) {
		t.mu.RLock()
		keys := slices.Collect(maps.Keys(t.routes))
		t.mu.RUnlock()
		slices.Values(keys)(yield)
	}
}

// Stats returns the snapshot of the broadcast of key, see [Broadcast.Stats]. It
// reports false if no subscription has this key alone.
func (t *Topics[K, T]) Stats(key K) (st Stats, ok bool) {
	t.require("broadcast: Topics.Stats")
	x := t.feed(key)
	if x == nil {
		return st, false
	}
	return x.b.Stats(), true
}

// Close closes the broadcasts of all keys, see [Broadcast.Close]. It does not
// wait for subscribers, and returns nil.
func (t *Topics[K, T]) Close() error {
	t.require("broadcast: Topics.Close")
	t.mu.Lock()
	t.closed = true
	logs := slices.Concat(slices.Collect(maps.Values(t.routes))...)
	for _, x := range t.matches {
		logs = append(logs, x.b)
	}
	t.mu.Unlock()
	for _, b := range logs {
		_ = b.Close() // it returns nil
	}
	return nil
}
