// Package before is the event bus as channels, goroutines and queues of its own, with the
// bounds that it had when the reports were written.
package before

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	queueSize = 16              // events that wait in the router, and in front of each client
	slowAfter = 5 * time.Second // a subscriber that takes longer for one event is reported
)

type event struct {
	value any
	from  *Client
}

// A Bus routes events by their type from publishers to the clients that subscribe to it.
// All clients see events in one order.
type Bus struct {
	logf       func(format string, args ...any)
	in         chan event
	queued     atomic.Int64
	quit, done chan struct{}

	mu      sync.Mutex
	routes  map[reflect.Type][]*Client
	clients []*Client
}

// New starts a bus that reports slow subscribers to logf.
func New(logf func(format string, args ...any)) *Bus {
	b := &Bus{
		logf: logf, in: make(chan event), quit: make(chan struct{}), done: make(chan struct{}),
		routes: map[reflect.Type][]*Client{},
	}
	go b.route()
	return b
}

// Queued returns how many events wait for the router.
func (b *Bus) Queued() int { return int(b.queued.Load()) }

// Close stops the router and closes all clients. It waits for callbacks that run.
func (b *Bus) Close() {
	close(b.quit)
	<-b.done
	b.mu.Lock()
	clients := slices.Clone(b.clients)
	b.mu.Unlock()
	for _, c := range clients {
		c.Close()
	}
}

// route takes events while it offers the first of them to one client after the other.
func (b *Bus) route() {
	defer close(b.done)
	q := newQueue(&b.queued)
	for {
		if q.empty() {
			select {
			case e := <-b.in:
				q.add(e)
			case <-b.quit:
				return
			}
			continue
		}
		for _, c := range b.clientsOf(reflect.TypeOf(q.first().value)) {
			for sent := false; !sent; {
				select {
				case c.in <- q.first():
					sent = true
				case <-c.done:
					sent = true
				case e := <-q.accept(b.in):
					q.add(e)
				case <-b.quit:
					return
				}
			}
		}
		q.drop()
	}
}

func (b *Bus) clientsOf(t reflect.Type) []*Client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.routes[t]
}

func (b *Bus) subscribe(t reflect.Type, c *Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.routes[t] = append(slices.Clone(b.routes[t]), c)
}

func (b *Bus) unsubscribe(t reflect.Type, c *Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.routes[t], c); i >= 0 {
		b.routes[t] = slices.Delete(slices.Clone(b.routes[t]), i, i+1)
	}
}

// A queue holds up to queueSize events.
type queue struct {
	events []event
	size   *atomic.Int64
}

func newQueue(size *atomic.Int64) *queue {
	return &queue{events: make([]event, 0, queueSize), size: size}
}

func (q *queue) empty() bool  { return len(q.events) == 0 }
func (q *queue) first() event { return q.events[0] }

// accept returns in, or nil, from which nothing can be received, if q is full.
func (q *queue) accept(in chan event) chan event {
	if len(q.events) == queueSize {
		return nil
	}
	return in
}

func (q *queue) add(e event) {
	q.events = append(q.events, e)
	q.size.Add(1)
}

func (q *queue) drop() {
	copy(q.events, q.events[1:])
	q.events[len(q.events)-1] = event{}
	q.events = q.events[:len(q.events)-1]
	q.size.Add(-1)
}

// A Client publishes, and subscribes to events, which it gets one after the other.
type Client struct {
	name       string
	bus        *Bus
	in         chan event
	queued     atomic.Int64
	quit, done chan struct{}

	mu      sync.Mutex
	closed  bool
	started bool
	subs    map[reflect.Type]subscriber
}

// A subscriber delivers the first event of a queue, and fills the queue meanwhile. It
// returns false when its client has been closed.
type subscriber interface {
	deliver(q *queue) bool
}

// Client returns a new client.
func (b *Bus) Client(name string) *Client {
	c := &Client{
		name: name, bus: b, in: make(chan event), quit: make(chan struct{}), done: make(chan struct{}),
		subs: map[reflect.Type]subscriber{},
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clients = append(b.clients, c)
	return c
}

// Queued returns how many events wait for the subscribers of c.
func (c *Client) Queued() int { return int(c.queued.Load()) }

// Close ends all subscriptions, and waits for a callback that runs.
func (c *Client) Close() {
	c.mu.Lock()
	wasClosed, started := c.closed, c.started
	c.closed = true
	subs := c.subs
	c.subs = nil
	c.mu.Unlock()
	if wasClosed {
		return
	}
	close(c.quit)
	if started {
		<-c.done
	}
	for t := range subs {
		c.bus.unsubscribe(t, c)
	}
	c.bus.mu.Lock()
	defer c.bus.mu.Unlock()
	if i := slices.Index(c.bus.clients, c); i >= 0 {
		c.bus.clients = slices.Delete(c.bus.clients, i, i+1)
	}
}

func (c *Client) add(t reflect.Type, s subscriber) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		panic("eventbus: subscribe on a closed client")
	}
	if c.subs[t] != nil {
		panic(fmt.Sprintf("eventbus: client %s subscribes to %v twice", c.name, t))
	}
	c.subs[t] = s
	if !c.started {
		c.started = true
		go c.pump()
	}
	c.bus.subscribe(t, c)
}

func (c *Client) remove(t reflect.Type) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.subs, t)
	c.bus.unsubscribe(t, c)
}

func (c *Client) subscriber(t reflect.Type) subscriber {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.subs[t]
}

func (c *Client) pump() {
	defer close(c.done)
	q := newQueue(&c.queued)
	for {
		if q.empty() {
			select {
			case e := <-c.in:
				q.add(e)
			case <-c.quit:
				return
			}
			continue
		}
		if s := c.subscriber(reflect.TypeOf(q.first().value)); s != nil && !s.deliver(q) {
			return
		}
		q.drop()
	}
}

// A Publisher publishes events of type T.
type Publisher[T any] struct{ client *Client }

// Publish returns a publisher of c.
func Publish[T any](c *Client) *Publisher[T] { return &Publisher[T]{c} }

// Publish hands v to the router. It waits while the queue of the router is full. On a
// closed client it does nothing.
func (p *Publisher[T]) Publish(v T) {
	select {
	case <-p.client.quit:
		return
	default:
	}
	select {
	case p.client.bus.in <- event{v, p.client}:
	case <-p.client.quit:
	case <-p.client.bus.done:
	}
}

// A Subscriber has a channel of the events of type T.
type Subscriber[T any] struct {
	client *Client
	events chan T
	slow   *time.Timer
}

// Subscribe returns the subscriber of c for T.
func Subscribe[T any](c *Client) *Subscriber[T] {
	s := &Subscriber[T]{client: c, events: make(chan T), slow: stoppedTimer()}
	c.add(reflect.TypeFor[T](), s)
	return s
}

// Events returns the channel. It is not closed.
func (s *Subscriber[T]) Events() <-chan T { return s.events }

// Close ends the subscription.
func (s *Subscriber[T]) Close() { s.client.remove(reflect.TypeFor[T]()) }

func (s *Subscriber[T]) deliver(q *queue) bool {
	start := time.Now()
	s.slow.Reset(slowAfter)
	defer s.slow.Stop()
	for {
		select {
		case s.events <- q.first().value.(T):
			return true
		case e := <-q.accept(s.client.in):
			q.add(e)
		case <-s.client.quit:
			return false
		case <-s.slow.C:
			s.client.reportSlow(reflect.TypeFor[T](), start)
			s.slow.Reset(slowAfter)
		}
	}
}

type funcSubscriber[T any] struct {
	client *Client
	fn     func(T)
	slow   *time.Timer
}

// SubscribeFunc calls fn for each event of type T. The calls of all subscribers of c come
// one after the other.
func SubscribeFunc[T any](c *Client, fn func(T)) {
	c.add(reflect.TypeFor[T](), &funcSubscriber[T]{c, fn, stoppedTimer()})
}

func (s *funcSubscriber[T]) deliver(q *queue) bool {
	start := time.Now()
	s.slow.Reset(slowAfter)
	defer s.slow.Stop()
	returned := make(chan struct{})
	v := q.first().value.(T)
	go func() {
		defer close(returned)
		s.fn(v)
	}()
	for {
		select {
		case <-returned:
			return true
		case e := <-q.accept(s.client.in):
			q.add(e)
		case <-s.client.quit:
			<-returned
			return false
		case <-s.slow.C:
			s.client.reportSlow(reflect.TypeFor[T](), start)
			s.slow.Reset(slowAfter)
		}
	}
}

func (c *Client) reportSlow(t reflect.Type, start time.Time) {
	c.bus.logf("eventbus: client %s: subscriber for %v is slow (%v elapsed)", c.name, t, time.Since(start))
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
