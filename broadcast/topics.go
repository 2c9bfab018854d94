package broadcast

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/tandemgo/tandem/internal/ctxselect"
	"github.com/tandemgo/tandem/internal/sched"
)

// A Topics is a [Broadcast] for each key: a chat room, a user, a sensor. It is
// made by [NewTopics], must not be copied, and is safe for concurrent use.
//
// The broadcast of a key is made by the first Subscribe to it and gone with its
// last subscription, whether that was closed, ended by its context or as too
// slow, or forgotten and collected. So keys cost nothing that nobody listens to;
// what is sent to them is not kept, and can't be replayed.
//
// A topic that is made anew goes on with numbers behind those of all topics that are
// gone, of any key. So a number never stands for two values of a key. A subscription
// that returns with [From] after its topic was gone gets a [GapError] before the oldest
// value that is retained: at least 1 value is missing, and it is not known how many
// more, since values that are sent to a key without subscriptions are not counted. To
// have no such gap, keep a subscription to the key.
type Topics[K comparable, T any] struct {
	opts []Option

	mu     sched.RWMutex
	topics map[K]*topic[K, T]
	start  uint64 // of the numbers of a new topic: no topic that is gone has come there
	closed bool
}

// A topic is the broadcast of one key, and how many subscriptions it has,
// guarded by Topics.mu.
type topic[K comparable, T any] struct {
	key  K
	b    *Broadcast[T]
	subs int
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
	b, err := t.find(key)
	if b == nil {
		return err
	}
	return b.Send(ctx, v)
}

// TrySend is Send that does not wait: it returns ErrFull instead.
func (t *Topics[K, T]) TrySend(key K, v T) error {
	b, err := t.find(key)
	if b == nil {
		return err
	}
	return b.TrySend(v)
}

// SendBatch is Send for several values, in order, see [Broadcast.SendBatch].
func (t *Topics[K, T]) SendBatch(ctx context.Context, key K, vs []T) (int, error) {
	ctxselect.Require(ctx, "broadcast: Topics.SendBatch")
	if sched.Err(ctx) != nil {
		return 0, context.Cause(ctx)
	}
	switch b, err := t.find(key); {
	case err != nil:
		return 0, err
	case b == nil:
		return len(vs), nil
	default:
		return b.SendBatch(ctx, vs)
	}
}

// find returns the broadcast of key, nil if it has no subscriptions.
func (t *Topics[K, T]) find(key K) (*Broadcast[T], error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return nil, ErrClosed
	}
	if topic := t.topics[key]; topic != nil {
		return topic.b, nil
	}
	return nil, nil
}

// Subscribe returns a new subscription to what is sent to key from now on. It
// returns ErrClosed when the Topics are closed. It panics if key is not equal to
// itself, as a NaN: nobody could send to it.
func (t *Topics[K, T]) Subscribe(key K, opts ...SubscribeOption) (*Subscription[T], error) {
	if key != key { //nolint:staticcheck // that is what is asked
		panic(fmt.Sprintf("broadcast: Topics.Subscribe: key must be equal to itself, got %v", key))
	}
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil, ErrClosed
	}
	found := t.topics[key]
	if found == nil {
		found = &topic[K, T]{key: key, b: newFrom[T](t.start, t.opts)}
		t.topics[key] = found
	}
	found.subs++ // from here on it stays
	t.mu.Unlock()
	s, err := found.b.subscribe(func() { t.leave(found) }, opts)
	if err != nil {
		t.leave(found)
	}
	return s, err
}

// leave is called for each subscription to a topic that has ended.
func (t *Topics[K, T]) leave(left *topic[K, T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if left.subs--; left.subs == 0 {
		delete(t.topics, left.key)
		// Behind all places at which its subscriptions can have been, and not at the
		// last of them: who was there would not know what was sent to nobody.
		t.start = max(t.start, left.b.log.published.Load()/publishOne+1)
	}
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
// reports false if the key has no subscriptions.
func (t *Topics[K, T]) Stats(key K) (st Stats, ok bool) {
	t.mu.RLock()
	topic := t.topics[key]
	t.mu.RUnlock()
	if topic == nil {
		return st, false
	}
	return topic.b.Stats(), true
}

// Close closes the broadcasts of all keys, see [Broadcast.Close]. It does not
// wait for subscribers, and returns nil.
func (t *Topics[K, T]) Close() error {
	t.mu.Lock()
	t.closed = true
	topics := slices.Collect(maps.Values(t.topics))
	t.mu.Unlock()
	for _, topic := range topics {
		_ = topic.b.Close() // it returns nil
	}
	return nil
}
