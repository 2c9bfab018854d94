package eventbus_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tandemgo/tandem/ports/eventbus/after"
	"github.com/tandemgo/tandem/ports/eventbus/before"
	"github.com/tandemgo/tandem/ports/internal/proof"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLines(t *testing.T) { proof.Lines(t, 0.60) }

func TestPage(t *testing.T) { proof.Page(t, "tailscale: the event bus") }

// The events of the tests.
type (
	ping struct{ from, n int }
	pong struct{ from, n int }
)

// A client is what the tests use of a client of either shape.
type client interface {
	publishPing(ping)
	publishPong(pong)
	onPing(func(ping))
	onPong(func(pong))
	pongs() (events <-chan pong, end func())
	queued() int
	close(ctx context.Context) error
}

// A bus is what the tests use of a bus of either shape.
type bus interface {
	client(name string) client
	close()
}

type oldBus struct{ *before.Bus }

func (b oldBus) client(name string) client { return oldClient{b.Client(name)} }
func (b oldBus) close()                    { b.Close() }

type oldClient struct{ *before.Client }

func (c oldClient) publishPing(e ping)   { before.Publish[ping](c.Client).Publish(e) }
func (c oldClient) publishPong(e pong)   { before.Publish[pong](c.Client).Publish(e) }
func (c oldClient) onPing(fn func(ping)) { before.SubscribeFunc(c.Client, fn) }
func (c oldClient) onPong(fn func(pong)) { before.SubscribeFunc(c.Client, fn) }
func (c oldClient) pongs() (<-chan pong, func()) {
	s := before.Subscribe[pong](c.Client)
	return s.Events(), s.Close
}
func (c oldClient) queued() int                 { return c.Queued() }
func (c oldClient) close(context.Context) error { c.Close(); return nil }

type newBus struct{ *after.Bus }

func (b newBus) client(name string) client { return newClient{b.Client(name)} }
func (b newBus) close()                    { _ = b.Close(context.Background()) }

type newClient struct{ *after.Client }

func (c newClient) publishPing(e ping)   { after.Publish[ping](c.Client).Publish(e) }
func (c newClient) publishPong(e pong)   { after.Publish[pong](c.Client).Publish(e) }
func (c newClient) onPing(fn func(ping)) { after.SubscribeFunc(c.Client, fn) }
func (c newClient) onPong(fn func(pong)) { after.SubscribeFunc(c.Client, fn) }
func (c newClient) pongs() (<-chan pong, func()) {
	s := after.Subscribe[pong](c.Client)
	return s.Events(), s.Close
}
func (c newClient) queued() int                     { return c.Queued() }
func (c newClient) close(ctx context.Context) error { return c.Close(ctx) }

func quiet(string, ...any) {}

// both runs a test on both shapes, each in a bubble. It tells which one has the bug.
func both(t *testing.T, test func(t *testing.T, b bus, hasBug bool)) {
	t.Run("before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, oldBus{before.New(quiet)}, true) })
	})
	t.Run("after", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			test(t, newBus{after.New(func(after.Slow) {})}, false)
		})
	})
}

// A lock is a mutex that a test can give up on, so that a deadlock does not outlive it.
type lock struct{ held, giveUp chan struct{} }

func newLock() lock { return lock{make(chan struct{}, 1), make(chan struct{})} }

func (l lock) with(f func()) {
	select {
	case l.held <- struct{}{}:
		f()
		<-l.held
	case <-l.giveUp:
	}
}

// 18012: a subscriber publishes, and the queues are full.
func TestASubscriberPublishes(t *testing.T) {
	both(t, func(t *testing.T, b bus, hasBug bool) {
		const each = 4
		c, source := b.client("c"), b.client("source")
		got := 0
		c.onPing(func(e ping) { // each ping of n makes four of n-1
			got++
			for i := range each {
				if e.n > 0 {
					c.publishPing(ping{i, e.n - 1})
				}
			}
		})
		source.publishPing(ping{n: 3})
		time.Sleep(time.Hour)
		synctest.Wait()
		if all := 1 + each + each*each + each*each*each; (got != all) != hasBug {
			t.Errorf("%d of %d events were handled", got, all)
		}
		if hasBug {
			proof.At(t, "before.(*funcSubscriber[...]).deliver", "before.(*Publisher[...]).Publish")
		}
		go func() { _ = c.close(t.Context()) }() // releases Publish
		synctest.Wait()
		b.close()
	})
}

// 17973: a publisher holds the lock that a subscriber wants.
func TestAPublisherHoldsALock(t *testing.T) {
	both(t, func(t *testing.T, b bus, hasBug bool) {
		const events = 100
		sub, pub := b.client("sub"), b.client("pub")
		l := newLock()
		got := 0
		sub.onPing(func(ping) { l.with(func() { got++ }) })
		stuck, join := proof.Stuck(func() {
			l.with(func() {
				for i := range events {
					pub.publishPing(ping{n: i})
				}
			})
		})
		synctest.Wait()
		if stuck != hasBug || (got == events) == hasBug {
			t.Errorf("the publisher is stuck: %v; %d of %d events were handled", stuck, got, events)
		}
		if hasBug {
			proof.At(t, "TestAPublisherHoldsALock", "eventbus_test.lock.with", "before.(*Publisher[...]).Publish")
			proof.At(t, "before.(*funcSubscriber[...]).deliver", "eventbus_test.lock.with")
		}
		_ = pub.close(t.Context()) // releases Publish
		join()
		close(l.giveUp)
		b.close()
	})
}

// 17830: one side publishes requests under its lock and needs that lock for the answers, and
// the other side reads requests from its callback and publishes the answers.
func TestRequestsAndAnswersUnderALock(t *testing.T) {
	both(t, func(t *testing.T, b bus, hasBug bool) {
		const requests = 200
		conn, relay := b.client("conn"), b.client("relay")
		l := newLock()
		relay.onPing(func(e ping) { relay.publishPong(pong{n: e.n}) })
		answers, end := conn.pongs()
		got := 0
		quit, quitted := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(quitted)
			for {
				select {
				case <-answers:
					l.with(func() { got++ })
				case <-quit:
					return
				}
			}
		}()
		stuck, join := proof.Stuck(func() {
			l.with(func() {
				for i := range requests {
					conn.publishPing(ping{n: i})
				}
			})
		})
		synctest.Wait()
		if stuck != hasBug || (got == requests) == hasBug {
			t.Errorf("the requests are stuck: %v; %d of %d answers came", stuck, got, requests)
		}
		if hasBug {
			proof.At(t, "TestRequestsAndAnswersUnderALock", "eventbus_test.lock.with", "before.(*Publisher[...]).Publish")
			proof.At(t, "eventbus_test.lock.with", "TestRequestsAndAnswersUnderALock.func1.2") // an answer
		}
		close(l.giveUp)
		close(quit)
		<-quitted
		end()
		_ = conn.close(t.Context())
		join()
		b.close()
	})
}

// 17894: a client is closed under the lock that its callback wants.
func TestCloseUnderALock(t *testing.T) {
	both(t, func(t *testing.T, b bus, hasBug bool) {
		sub, pub := b.client("sub"), b.client("pub")
		l := newLock()
		began := make(chan struct{})
		late := 0
		sub.onPing(func(ping) { close(began); l.with(func() {}) })
		sub.onPong(func(pong) { late++ })
		var err error
		stuck, join := proof.Stuck(func() {
			l.with(func() {
				pub.publishPing(ping{})
				pub.publishPong(pong{})
				<-began
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err = sub.close(ctx)
			})
		})
		if stuck != hasBug || (err != nil) == hasBug {
			t.Errorf("Close is stuck: %v; it returned %v", stuck, err)
		}
		if hasBug {
			proof.At(t, "eventbus_test.lock.with", "before.(*Client).Close")
			proof.At(t, "before.(*funcSubscriber[...]).deliver", "eventbus_test.lock.with")
			close(l.giveUp)
		}
		join()
		if err != nil {
			t.Log(err)
		}
		synctest.Wait()
		b.close()
		if late != 0 {
			t.Errorf("%d callbacks began after Close", late)
		}
	})
}

// 17996: a subscriber that works for minutes holds up the other clients.
func TestASlowSubscriberAndTheOthers(t *testing.T) {
	both(t, func(t *testing.T, b bus, hasBug bool) {
		const events = 60
		slow, fast, pub := b.client("slow"), b.client("fast"), b.client("pub")
		slow.onPing(func(ping) { time.Sleep(time.Minute) })
		start := time.Now()
		got, last := 0, time.Duration(0)
		fast.onPing(func(ping) { got, last = got+1, time.Since(start) })
		for i := range events {
			pub.publishPing(ping{n: i})
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if got != events || (last > 10*time.Minute) != hasBug || (last > 0) != hasBug {
			t.Errorf("%d of %d events came to the fast client, the last after %v", got, events, last)
		}
		t.Logf("the last event came to the fast client after %v", last)
		b.close()
	})
}

// 19944: a subscriber that hangs leaves lines in the log, and no figure that an alarm could
// be raised from.
func TestAHangIsTold(t *testing.T) {
	hang := func(b bus) {
		sub, pub := b.client("sub"), b.client("pub")
		quit := make(chan struct{})
		sub.onPing(func(ping) { <-quit })
		go func() {
			for i := range 1000 {
				pub.publishPing(ping{n: i})
			}
		}()
		time.Sleep(time.Minute + time.Second)
		_ = pub.close(context.Background())
		close(quit)
		synctest.Wait()
		b.close()
	}
	t.Run("before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			lines, behind := 0, 0
			b := oldBus{}
			b.Bus = before.New(func(_ string, args ...any) {
				lines++
				for _, a := range args {
					if n, ok := a.(int); ok {
						behind = max(behind, n)
					}
				}
			})
			hang(b)
			if lines != 12 || behind != 0 {
				t.Errorf("%d lines, the backlog in them is %d", lines, behind)
			}
		})
	})
	t.Run("after", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var told []after.Slow
			hang(newBus{after.New(func(s after.Slow) { told = append(told, s) })})
			if len(told) != 12 {
				t.Fatalf("it was told %d times, want once each 5 s", len(told))
			}
			if s := told[11]; s.Client != "sub" || s.Type.Name() != "ping" || s.Elapsed != time.Minute || s.Backlog != 999 {
				t.Errorf("after a minute: %+v", s)
			}
		})
	})
}

// Two minutes of a tailscale client's life, in simulated time: bursts of events of two types,
// subscribers of different speeds, one that publishes, clients that come and go. Every client
// gets every event since it subscribed, in the same order. It holds for both shapes, as long
// as no burst fills the queues.
func TestTwoMinutes(t *testing.T) {
	both(t, func(t *testing.T, b bus, _ bool) { workload(t, b, 2*time.Minute) })
}

// The same in real time, on real processors, for half a second.
func TestRealTime(t *testing.T) {
	t.Run("before", func(t *testing.T) { workload(t, oldBus{before.New(quiet)}, 500*time.Millisecond) })
	t.Run("after", func(t *testing.T) {
		workload(t, newBus{after.New(func(after.Slow) {})}, 500*time.Millisecond)
	})
}

func workload(t *testing.T, b bus, d time.Duration) {
	const burst = 8 // as much as the queues of the shape before hold at any rate
	const pause = 10 * time.Millisecond
	var mu sync.Mutex
	var orders [][]ping // of each client
	var answered atomic.Int64
	subscribe := func(name string, work time.Duration) client {
		c := b.client(name)
		mu.Lock()
		i := len(orders)
		orders = append(orders, nil)
		mu.Unlock()
		c.onPing(func(e ping) {
			mu.Lock()
			orders[i] = append(orders[i], e)
			mu.Unlock()
			time.Sleep(work)
		})
		return c
	}
	a := subscribe("a", 0)
	subscribe("b", 100*time.Microsecond)
	answers, end := a.pongs()
	relay := b.client("relay")
	relay.onPing(func(e ping) { relay.publishPong(pong(e)) })
	var readers, publishers sync.WaitGroup
	quit := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-answers:
				answered.Add(1)
			case <-quit:
				return
			}
		}
	})
	var sent atomic.Int64
	start := time.Now()
	for from := range 2 {
		pub := b.client(fmt.Sprint("publisher ", from))
		publishers.Go(func() {
			for n := 0; time.Since(start) < d; {
				for range burst / 2 {
					pub.publishPing(ping{from, n})
					sent.Add(1)
					n++
				}
				time.Sleep(pause)
			}
		})
	}
	publishers.Go(func() { // subscribers that come and go
		for i := 0; time.Since(start) < d; i++ {
			c := b.client(fmt.Sprint("guest ", i))
			c.onPong(func(pong) {})
			time.Sleep(3 * pause)
			if err := c.close(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	publishers.Wait()
	all := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return int64(len(orders[0])) == sent.Load() && int64(len(orders[1])) == sent.Load() && answered.Load() == sent.Load()
	}
	for deadline := time.Now().Add(10 * time.Second); !all() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	close(quit)
	readers.Wait()
	end()
	b.close()
	if !all() {
		t.Fatalf("%d sent, %d and %d got, %d answers", sent.Load(), len(orders[0]), len(orders[1]), answered.Load())
	}
	next := [2]int{}
	for i, e := range orders[0] {
		if orders[1][i] != e || e.n != next[e.from] {
			t.Fatalf("event %d is %v for one client and %v for the other", i, e, orders[1][i])
		}
		next[e.from]++
	}
	t.Logf("%d events", sent.Load())
}

// BenchmarkPublish has two publishers and four clients, of which two subscribe to what is
// published.
func BenchmarkPublish(b *testing.B) {
	run := func(make func() bus) func(*testing.B, int) {
		return func(_ *testing.B, n int) {
			bus := make()
			var got sync.WaitGroup
			got.Add(2 * n)
			for i := range 2 {
				bus.client(fmt.Sprint(i)).onPing(func(ping) { got.Done() })
				bus.client(fmt.Sprint("other ", i)).onPong(func(pong) {})
			}
			for from := range 2 {
				pub := bus.client("publisher")
				go func() {
					for i := range n / 2 {
						pub.publishPing(ping{from, i})
					}
				}()
			}
			got.Wait()
			bus.close()
		}
	}
	proof.Paired(b, 20_000,
		run(func() bus { return oldBus{before.New(quiet)} }),
		run(func() bus { return newBus{after.New(func(after.Slow) {})} }))
}
