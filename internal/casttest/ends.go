package casttest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/testkit"
)

var errEnough = errors.New("enough")

// B3: Send under a context that has ended returns its cause, and sends nothing.
func endedContext(t *testing.T, b *cast) {
	s := b.subscribe(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errEnough)
	for range 10 {
		if err := b.Send(ctx, -1); err != errEnough {
			t.Errorf("Send: %v, want the cause", err)
		}
	}
	b.put(t, 1)
	next(t, s, 0)
}

// B7: nothing is delivered once Close on the subscription has returned.
func nothingAfterClose(t *testing.T, b *cast) {
	testkit.Watchdog(t, func() {
		for range 20 {
			s := b.subscribe(t)
			var closed atomic.Bool
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					late := closed.Load()
					if _, err := s.Next(context.Background()); err != nil {
						return
					}
					if late {
						t.Error("delivered after Close")
					}
				}
			})
			wg.Go(func() { b.send(t, 20) })
			s.Close()
			closed.Store(true)
			wg.Wait()
			if _, err := s.Next(context.Background()); err != broadcast.ErrClosed {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
	})
}

// Closing a subscription, repeatedly and concurrently, ends the waits of its readers,
// and does not affect other subscriptions.
func closeSubscription(t *testing.T, b *cast) {
	s, other := b.subscribe(t), b.subscribe(t)
	ch := b.subscribe(t)
	values := broadcast.Chan(ch, 0)
	read := make(chan error)
	go func() {
		_, err := s.Next(context.Background())
		read <- err
	}()
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		wg.Wait()
		if err := <-read; err != broadcast.ErrClosed {
			t.Errorf("the waiting reader got %v", err)
		}
		ch.Close()
		if v, ok := <-values; ok {
			t.Errorf("the channel gave %d", v)
		}
	})
	b.put(t, 1)
	next(t, other, 0)
}

// The end of the context of WithContext closes the subscription, and the error wraps
// the cause.
func endOfContext(t *testing.T, b *cast) {
	ctx, cancel := context.WithCancelCause(context.Background())
	s := b.subscribe(t, broadcast.WithContext(ctx))
	b.put(t, 1)
	next(t, s, 0)
	read := make(chan error)
	go func() {
		_, err := s.Next(context.Background())
		read <- err
	}()
	cancel(errEnough)
	testkit.Watchdog(t, func() {
		if err := <-read; !errors.Is(err, broadcast.ErrClosed) || !errors.Is(err, errEnough) {
			t.Errorf("got %v", err)
		}
	})
}

// C2: a cancelled Next returns the cause and loses no value.
func waitIsCancelled(t *testing.T, b *cast) {
	s := b.subscribe(t)
	testkit.Watchdog(t, func() {
		for i := range 20 {
			ctx, cancel := context.WithCancelCause(context.Background())
			type result struct {
				v   int
				err error
			}
			read := make(chan result)
			go func() {
				v, err := s.Next(ctx)
				read <- result{v, err}
			}()
			go cancel(errEnough)
			b.put(t, 1)
			if r := <-read; r.err == nil && r.v != i {
				t.Errorf("%d, want %d", r.v, i)
			} else if r.err == errEnough {
				next(t, s, i)
			} else if r.err != nil {
				t.Errorf("got %v", r.err)
			}
			cancel(nil)
		}
	})
}

// After Close subscribers read the remaining values and then get ErrClosed; Send and
// Subscribe return ErrClosed. Close may be called repeatedly and concurrently.
func closeAll(t *testing.T, b *cast) {
	s, block := b.subscribe(t), b.subscribe(t, broadcast.WithOverflow(broadcast.Block))
	waits := b.subscribe(t)
	b.put(t, 8)
	for i := range 8 {
		next(t, waits, i)
	}
	read := make(chan error)
	go func() {
		_, err := waits.Next(context.Background())
		read <- err
	}()
	testkit.Watchdog(t, func() {
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if err := b.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
		wg.Wait()
		if err := <-read; err != broadcast.ErrClosed {
			t.Errorf("the waiting reader got %v", err)
		}
	})
	for _, s := range []*broadcast.Subscription[int]{s, block} {
		got, missed := rest(t, s, 0)
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6, 7}, got); diff != "" || missed != 0 {
			t.Errorf("missed %d (-want +got):\n%s", missed, diff)
		}
		if _, err := s.Next(context.Background()); err != broadcast.ErrClosed {
			t.Errorf("at the end: %v", err)
		}
	}
	if err := b.Send(context.Background(), 8); !errors.Is(err, broadcast.ErrClosed) {
		t.Errorf("Send: %v", err)
	}
	if _, err := b.Subscribe(); !errors.Is(err, broadcast.ErrClosed) {
		t.Errorf("Subscribe: %v", err)
	}
}

// C6: a loop over a subscription may close the subscription and the broadcast.
func closeFromWithin(t *testing.T, b *cast) {
	s, other := b.subscribe(t), b.subscribe(t)
	b.put(t, 3)
	testkit.Watchdog(t, func() {
		n := 0
		for range WithGaps(s.All(context.Background())) {
			n++
			s.Close()
		}
		if n != 1 {
			t.Errorf("%d values, and the first one closed it", n)
		}
		n = 0
		for range WithGaps(other.All(context.Background())) {
			n++
			b.Close()
		}
		if n != 3 {
			t.Errorf("%d values were left, want 3", n)
		}
	})
}
