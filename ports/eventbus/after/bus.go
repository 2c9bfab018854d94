// Package after is the event bus on package broadcast.
package after

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandemgo/tandem/broadcast"
)

const (
	maxBacklog = 1 << 20         // events that a client may be behind before it misses some
	slowAfter  = 5 * time.Second // a subscriber that takes longer for one event is reported
)

type event struct {
	value any
	from  *Client
}

// A Slow reports a subscriber that has been busy with one event for Elapsed, or a client
// that has Missed events since it was more than a million behind.
type Slow struct {
	Client          string
	Type            reflect.Type
	Elapsed         time.Duration
	Backlog, Missed uint64
}

// A Bus sends events to the clients that subscribe to their type. All clients see events in
// one order.
type Bus struct {
	onSlow  func(Slow)
	events  *broadcast.Broadcast[event]
	clients sync.Map // of *Client
}

// New returns a bus that reports slow subscribers to onSlow.
func New(onSlow func(Slow)) *Bus {
	return &Bus{onSlow: onSlow, events: broadcast.New[event]()}
}

// Close closes all clients. It waits for callbacks that run until ctx ends.
func (b *Bus) Close(ctx context.Context) (err error) {
	for c := range b.clients.Range {
		err = errors.Join(err, c.(*Client).Close(ctx))
	}
	return err
}

// A Client publishes, and subscribes to events, which it gets one after the other.
type Client struct {
	name     string
	bus      *Bus
	ctx      context.Context
	cancel   context.CancelFunc
	handlers sync.Map // reflect.Type → *handler
	start    func() *broadcast.Subscription[event]
	done     chan struct{}
}

// Client returns a new client.
func (b *Bus) Client(name string) *Client {
	c := &Client{name: name, bus: b, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.start = sync.OnceValue(func() *broadcast.Subscription[event] {
		sub, _ := b.events.Subscribe(broadcast.WithName(name), broadcast.WithContext(c.ctx),
			broadcast.WithOverflow(broadcast.Grow), broadcast.WithMaxBacklog(maxBacklog)) // b.events is never closed
		go c.dispatch(sub)
		return sub
	})
	b.clients.Store(c, nil)
	return c
}

// Queued returns how many events wait for c.
func (c *Client) Queued() int { return int(c.start().Backlog()) }

// Close ends all subscriptions: no further callback begins. It waits for one that runs
// until ctx ends.
func (c *Client) Close(ctx context.Context) error {
	c.cancel()
	c.bus.clients.Delete(c)
	c.start() // the dispatcher of a client without subscriptions ends at once
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("eventbus: client %s: a callback still runs: %w", c.name, context.Cause(ctx))
	}
}

func (c *Client) dispatch(sub *broadcast.Subscription[event]) {
	defer close(c.done)
	for e, err := range sub.All(c.ctx) {
		if gap, ok := errors.AsType[*broadcast.GapError](err); ok {
			c.bus.onSlow(Slow{Client: c.name, Backlog: sub.Backlog(), Missed: gap.Missed})
		} else if h, ok := c.handlers.Load(reflect.TypeOf(e.value)); ok {
			h.(*handler).handle(e.value)
		}
	}
}

// A handler calls fn, and reports the calls that take long.
type handler struct {
	fn    func(any)
	slow  *time.Timer
	since atomic.Int64 // the start of the call, in Unix nanoseconds; 0 while there is none
}

func (c *Client) handle(t reflect.Type, fn func(any)) {
	if c.ctx.Err() != nil {
		panic("eventbus: subscribe on a closed client")
	}
	h := &handler{fn: fn}
	h.slow = time.AfterFunc(slowAfter, func() {
		if since := h.since.Load(); since != 0 {
			c.bus.onSlow(Slow{Client: c.name, Type: t, Elapsed: time.Since(time.Unix(0, since)), Backlog: c.start().Backlog()})
			h.slow.Reset(slowAfter)
		}
	})
	if _, twice := c.handlers.LoadOrStore(t, h); twice {
		panic(fmt.Sprintf("eventbus: client %s subscribes to %v twice", c.name, t))
	}
	c.start()
}

func (h *handler) handle(v any) {
	h.since.Store(time.Now().UnixNano())
	h.slow.Reset(slowAfter)
	h.fn(v)
	h.since.Store(0)
	h.slow.Stop()
}

// A Publisher publishes events of type T.
type Publisher[T any] struct{ client *Client }

// Publish returns a publisher of c.
func Publish[T any](c *Client) *Publisher[T] { return &Publisher[T]{c} }

// Publish sends v. It never waits. On a closed client it does nothing.
func (p *Publisher[T]) Publish(v T) {
	_ = p.client.bus.events.Send(p.client.ctx, event{v, p.client})
}

// A Subscriber has a channel of the events of type T.
type Subscriber[T any] struct {
	client *Client
	events chan T
}

// Subscribe returns the subscriber of c for T.
func Subscribe[T any](c *Client) *Subscriber[T] {
	s := &Subscriber[T]{c, make(chan T)}
	SubscribeFunc(c, func(v T) {
		select {
		case s.events <- v:
		case <-c.ctx.Done():
		}
	})
	return s
}

// Events returns the channel. It is not closed.
func (s *Subscriber[T]) Events() <-chan T { return s.events }

// Close ends the subscription.
func (s *Subscriber[T]) Close() { s.client.handlers.Delete(reflect.TypeFor[T]()) }

// SubscribeFunc calls fn for each event of type T. The calls of all subscribers of c come
// one after the other.
func SubscribeFunc[T any](c *Client, fn func(T)) {
	c.handle(reflect.TypeFor[T](), func(v any) { fn(v.(T)) })
}
