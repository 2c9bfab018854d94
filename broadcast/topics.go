package broadcast

import (
	"cmp"
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
	topics  map[K]*topic[K, T]
	matches []*several[K, T] // those with a function, in the order of Subscribe; replaced, never changed
	start   uint64           // of the numbers of a new topic: no topic that is gone has come there
	made    uint64           // how many several there were
	closed  bool
}

// A topic is one key, guarded by Topics.mu.
type topic[K comparable, T any] struct {
	key     K
	b       *Broadcast[T]    // nil if no subscription has this key alone
	subs    int              // to b
	several []*several[K, T] // that have the key in their list; replaced, never changed
}

// A several is the log of a subscription to several keys.
type several[K comparable, T any] struct {
	b     *Broadcast[T]
	order uint64 // in which it was made: senders lock them in this order
	keys  []K
	match func(K) bool // nil if it has keys
}

// NewTopics returns a Topics without keys. The options are those of each
// broadcast.
func NewTopics[K comparable, T any](opts ...Option) *Topics[K, T] {
	return &Topics[K, T]{opts: slices.Clone(opts), topics: map[K]*topic[K, T]{}}
}

// Send sends v to all subscriptions to key, see [Broadcast.Send]. If there are
// none, it does nothing and returns nil.
func (t *Topics[K, T]) Send(ctx context.Context, key K, v T) error {
	ctxselect.Require(ctx, "broadcast: Topics.Send")
	if sched.Err(ctx) != nil {
		return context.Cause(ctx)
	}
	b, also, err := t.find(key)
	if b == nil {
		return sendAll(err, also, v)
	}
	return b.send(ctx, v, also)
}

// TrySend is Send that does not wait: it returns ErrFull instead.
func (t *Topics[K, T]) TrySend(key K, v T) error {
	b, also, err := t.find(key)
	if b == nil {
		return sendAll(err, also, v)
	}
	return b.trySend(v, also)
}

// SendBatch is Send for several values, in order, see [Broadcast.SendBatch].
func (t *Topics[K, T]) SendBatch(ctx context.Context, key K, vs []T) (int, error) {
	ctxselect.Require(ctx, "broadcast: Topics.SendBatch")
	if sched.Err(ctx) != nil {
		return 0, context.Cause(ctx)
	}
	b, also, err := t.find(key)
	if b != nil {
		return b.sendWaiting(ctx, vs, also)
	}
	if err = sendAll(err, also, vs...); err != nil {
		return 0, err
	}
	return len(vs), nil
}

// find returns the broadcast of key, nil if there is none, and the logs of the
// subscriptions to several keys that match it.
func (t *Topics[K, T]) find(key K) (b *Broadcast[T], also []*Broadcast[T], err error) {
	t.mu.RLock()
	var listed []*several[K, T]
	if topic := t.topics[key]; topic != nil {
		b, listed = topic.b, topic.several
	}
	matches, closed := t.matches, t.closed
	t.mu.RUnlock()
	if closed {
		return nil, nil, ErrClosed
	}
	if len(listed)+len(matches) == 0 {
		return b, nil, nil
	}
	all := slices.Clone(listed)
	for _, x := range matches {
		if x.match(key) { // under no lock
			all = append(all, x)
		}
	}
	slices.SortFunc(all, func(x, y *several[K, T]) int { return cmp.Compare(x.order, y.order) })
	for _, x := range all {
		also = append(also, x.b)
	}
	return b, also, nil
}

// sendAll sends vs to the logs of also, unless err is not nil.
func sendAll[T any](err error, also []*Broadcast[T], vs ...T) error {
	if err != nil || len(also) == 0 {
		return err
	}
	if !mirror(also, vs...) {
		return ErrClosed
	}
	rouse(also)
	return nil
}

// mirror adds vs to the logs of also that are not closed, and reports whether there was
// one. It holds all of their locks at once, so all have the values of one key in the same
// order. The caller may hold the lock of the broadcast of the key. It calls rouse later.
func mirror[T any](also []*Broadcast[T], vs ...T) (added bool) {
	for _, b := range also {
		b.mu.Lock()
	}
	for _, b := range also {
		if !b.closedLocked() {
			b.log.addAll(vs)
			added = true
		}
		defer b.mu.Unlock()
	}
	return added
}

// rouse wakes the readers of what mirror has added.
func rouse[T any](also []*Broadcast[T]) {
	for _, b := range also {
		b.mu.Lock()
		asleep, late := b.sleepers.take(), b.lateLocked()
		b.mu.Unlock()
		b.wake(asleep)
		b.lag.tell(late)
	}
}

// Subscribe returns a new subscription to the values that are sent to key from now on. It
// returns ErrClosed when the Topics are closed. It panics if key is not equal to
// itself, as a NaN: no Send could find it.
func (t *Topics[K, T]) Subscribe(key K, opts ...SubscribeOption) (*Subscription[T], error) {
	requireKey(key, "Subscribe")
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, ErrClosed
	}
	found := t.topicLocked(key)
	if found.b == nil {
		found.b = newFrom[T](t.start, t.opts)
	}
	b := found.b
	found.subs++ // from here on it stays
	t.mu.Unlock()
	leave := func() { t.leave(found, b) }
	s, err := b.subscribe(leave, parse(opts))
	if err != nil {
		leave()
	}
	return s, err
}

func requireKey[K comparable](key K, call string) {
	if key != key { //nolint:staticcheck // that is what is asked
		panic(fmt.Sprintf("broadcast: Topics.%s: key must be equal to itself, got %v", call, key))
	}
}

// topicLocked returns the topic of key.
func (t *Topics[K, T]) topicLocked(key K) *topic[K, T] {
	found := t.topics[key]
	if found == nil {
		found = &topic[K, T]{key: key}
		t.topics[key] = found
	}
	return found
}

// leave is called for each subscription to a topic that has ended.
func (t *Topics[K, T]) leave(left *topic[K, T], b *Broadcast[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if left.subs--; left.subs == 0 {
		left.b = nil
		t.goneLocked(left, b)
	}
}

// goneLocked forgets the log b, and x, if no subscription has its key.
func (t *Topics[K, T]) goneLocked(x *topic[K, T], b *Broadcast[T]) {
	if x != nil && x.subs == 0 && len(x.several) == 0 {
		delete(t.topics, x.key)
	}
	// Behind all places at which its subscriptions can have been, and not at the last of
	// them: a subscription that was there would not know what was sent since.
	t.start = max(t.start, b.log.published.Load()/publishOne+1)
}

// SubscribeKeys returns a new subscription to the values that are sent to any of the keys
// from now on. Send to one of the keys costs a write more. With [WithStart] it begins
// with a [GapError], see [Topics]; [WithReplay] finds nothing. It returns ErrClosed when
// the Topics are closed. It panics if the policy is Block, since a Send to one key must
// not wait for readers of another; use Grow. It panics if a key is not equal to itself.
func (t *Topics[K, T]) SubscribeKeys(keys []K, opts ...SubscribeOption) (*Subscription[T], error) {
	for _, key := range keys {
		requireKey(key, "SubscribeKeys")
	}
	x := &several[K, T]{keys: slices.Clone(keys)}
	if len(keys) == 0 { // Close must find it
		x.match = func(K) bool { return false }
	}
	return t.subscribeSeveral("SubscribeKeys", x, opts)
}

// SubscribeFunc is SubscribeKeys for all keys that match, now and later. Each Send calls
// match, under no lock, on the goroutine of the sender: it must be fast, and may call the
// methods that do not block. A panic in it goes to the caller of Send. SubscribeFunc
// panics if match is nil.
func (t *Topics[K, T]) SubscribeFunc(match func(K) bool, opts ...SubscribeOption) (*Subscription[T], error) {
	misuse.Nil(match == nil, "broadcast: Topics.SubscribeFunc: function")
	return t.subscribeSeveral("SubscribeFunc", &several[K, T]{match: match}, opts)
}

func (t *Topics[K, T]) subscribeSeveral(call string, x *several[K, T], opts []SubscribeOption) (*Subscription[T], error) {
	o := parse(opts)
	if o.policy == Block {
		panic("broadcast: Topics." + call + ": policy must not be Block, got Block")
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, ErrClosed
	}
	start := t.start
	if o.start != nil { // it has been in another log
		start = max(start, *o.start+1)
	}
	t.made++
	x.b, x.order = newFrom[T](start, t.opts), t.made
	if x.match != nil {
		t.matches = append(slices.Clip(t.matches), x)
	}
	for _, key := range x.keys {
		if topic := t.topicLocked(key); !slices.Contains(topic.several, x) {
			topic.several = append(slices.Clip(topic.several), x)
		}
	}
	t.mu.Unlock()
	leave := func() { t.leaveSeveral(x) }
	s, err := x.b.subscribe(leave, o)
	if err != nil {
		leave()
	}
	return s, err
}

// leaveSeveral is called when a subscription to several keys has ended.
func (t *Topics[K, T]) leaveSeveral(x *several[K, T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	without := func(list []*several[K, T]) []*several[K, T] {
		return slices.DeleteFunc(slices.Clone(list), func(y *several[K, T]) bool { return x == y })
	}
	t.matches = without(t.matches)
	for _, key := range x.keys {
		if topic := t.topics[key]; topic != nil { // or key is in the list twice
			topic.several = without(topic.several)
			t.goneLocked(topic, x.b)
		}
	}
	t.goneLocked(nil, x.b)
}

// Keys walks the keys that have subscriptions, as of when the walk begins, in no
// order.
func (t *Topics[K, T]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		t.mu.RLock()
		keys := slices.Collect(maps.Keys(t.topics))
		t.mu.RUnlock()
		for _, k := range keys {
			if !yield(k) {
				return
			}
		}
	}
}

// Stats returns the snapshot of the broadcast of key, see [Broadcast.Stats]. It
// reports false if no subscription has this key alone.
func (t *Topics[K, T]) Stats(key K) (st Stats, ok bool) {
	t.mu.RLock()
	topic := t.topics[key]
	if topic == nil || topic.b == nil {
		t.mu.RUnlock()
		return st, false
	}
	b := topic.b
	t.mu.RUnlock()
	return b.Stats(), true
}

// Close closes the broadcasts of all keys, see [Broadcast.Close]. It does not
// wait for subscribers, and returns nil.
func (t *Topics[K, T]) Close() error {
	t.mu.Lock()
	t.closed = true
	several := slices.Clone(t.matches)
	var logs []*Broadcast[T]
	for _, topic := range t.topics {
		if topic.b != nil {
			logs = append(logs, topic.b)
		}
		several = append(several, topic.several...)
	}
	t.mu.Unlock()
	for _, x := range several {
		logs = append(logs, x.b)
	}
	for _, b := range logs {
		_ = b.Close() // it returns nil
	}
	return nil
}
