//go:build points

package broadcast_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
)

var errGone = errors.New("gone")

// A book is what a reader got: values that are their sequence numbers.
type book struct {
	t      testing.TB
	s      *broadcast.Subscription[uint64]
	next   uint64
	missed uint64
	got    []uint64
}

func newBook(t testing.TB, b *broadcast.Broadcast[uint64], opts ...broadcast.SubscribeOption) *book {
	t.Helper()
	s, err := b.Subscribe(opts...)
	if err != nil {
		t.Error(err)
	}
	return &book{t: t, s: s, next: s.Position()}
}

// read reads n values, or to the end if n is -1.
func (k *book) read(ctx context.Context, n int) error {
	for n != 0 {
		v, err := k.s.Next(ctx)
		if gap, ok := err.(*broadcast.GapError); ok {
			k.missed += gap.Missed
			k.next += gap.Missed
			continue
		}
		if err != nil {
			return err
		}
		if v != k.next {
			k.t.Errorf("B1, B2: got %d, want %d", v, k.next)
		}
		k.next++
		k.got = append(k.got, v)
		n--
	}
	return nil
}

// balance fails the test if something of what was sent is neither delivered nor
// missed nor left.
func (k *book) balance(sent uint64) {
	if all := uint64(len(k.got)) + k.s.Missed() + k.s.Backlog(); all != sent {
		k.t.Errorf("B2: %d delivered, %d missed and %d left of %d", len(k.got), k.s.Missed(), k.s.Backlog(), sent)
	}
}

func sendAll(t testing.TB, b *broadcast.Broadcast[uint64], n uint64) {
	t.Helper()
	for v := range n {
		if err := b.Send(t.Context(), v); err != nil {
			t.Errorf("Send: %v", err)
		}
	}
}

// B1, B2, B5: readers that keep up, and go to sleep where they can, see all.
func TestExploreSleepersAreWoken(t *testing.T) {
	for name, readers := range map[string][]string{"one": {"reader"}, "two": {"reader", "another"}} {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				b := broadcast.New[uint64](broadcast.WithCapacity(4))
				for _, name := range readers {
					k := newBook(t, b)
					r.Go(name, func() {
						if err := k.read(t.Context(), 2); err != nil || k.missed > 0 {
							t.Errorf("%v, %d missed", err, k.missed)
						}
					})
				}
				r.Go("sender", func() { sendAll(t, b, 2) })
			})
		})
	}
}

// B2, B6: one that does not keep up is told what it misses, where it misses it,
// however the log is cut off under its feet.
func TestExploreSlowReader(t *testing.T) {
	policies := map[string]broadcast.OverflowPolicy{
		"SkipOldest":   broadcast.SkipOldest,
		"SkipToLatest": broadcast.SkipToLatest,
		"Disconnect":   broadcast.Disconnect,
	}
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				b := broadcast.New[uint64](broadcast.WithCapacity(1))
				k := newBook(t, b, broadcast.WithOverflow(policy))
				r.Go("reader", func() {
					switch err := k.read(t.Context(), -1); {
					case err == broadcast.ErrClosed && (k.next == 3 || policy == broadcast.Disconnect):
					case err == broadcast.ErrSlow && policy == broadcast.Disconnect:
					default:
						t.Errorf("%v at %d", err, k.next)
					}
					if policy != broadcast.Disconnect && k.missed != k.s.Missed() {
						t.Errorf("B2: told of %d, missed %d", k.missed, k.s.Missed())
					}
				})
				r.Go("sender", func() {
					sendAll(t, b, 3)
					b.Close()
				})
				r.After(func() {
					if policy != broadcast.Disconnect {
						k.balance(3)
					}
				})
			})
		})
	}
}

// B2: the books are right at any instant.
func TestExploreStats(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(2))
		k := newBook(t, b)
		r.Go("reader", func() {
			if err := k.read(t.Context(), 1); err != nil {
				t.Error(err)
			}
		})
		r.Go("sender", func() { sendAll(t, b, 3) })
		r.Go("stats", func() {
			st := b.Stats()
			if s := st.Subscriptions[0]; s.Delivered+s.Missed+s.Backlog != st.Sent {
				t.Errorf("B2: %+v", st)
			}
		})
		r.After(func() { k.balance(3) })
	})
}

// B7: what was replayed and what comes meet without a gap or a repetition.
func TestExploreReplayMeetsLive(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(2))
		if err := b.TrySend(0); err != nil {
			t.Error(err)
		}
		r.Go("reader", func() {
			k := newBook(t, b, broadcast.WithReplay(1))
			for k.next < 3 {
				if err := k.read(t.Context(), 1); err != nil {
					t.Errorf("%v at %d", err, k.next)
				}
			}
		})
		r.Go("sender", func() {
			for v := range uint64(2) {
				if err := b.Send(t.Context(), v+1); err != nil {
					t.Error(err)
				}
			}
		})
	})
}

// B7, C6: Close of a subscription wakes its reader, and nothing comes after it.
func TestExploreCloseOfASubscription(t *testing.T) {
	ends := map[string]func(s *broadcast.Subscription[uint64], cancel func()){
		"by Close":       func(s *broadcast.Subscription[uint64], _ func()) { s.Close() },
		"by its context": func(_ *broadcast.Subscription[uint64], cancel func()) { cancel() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				b := broadcast.New[uint64](broadcast.WithCapacity(2))
				ctx, cancel := context.WithCancelCause(t.Context())
				k := newBook(t, b, broadcast.WithContext(ctx))
				var closed sched.Bool
				r.Go("reader", func() {
					for {
						before := closed.Load()
						err := k.read(t.Context(), 1)
						if err == nil && before {
							t.Error("B7: a value after Close")
						}
						if err != nil {
							if !errors.Is(err, broadcast.ErrClosed) {
								t.Error(err)
							}
							return
						}
					}
				})
				r.Go("sender", func() { sendAll(t, b, 2) })
				r.Go("close", func() {
					end(k.s, func() { sched.Cancel(func() { cancel(errGone) }) })
					closed.Store(name == "by Close")
				})
				r.After(func() {
					if len(b.Stats().Subscriptions) > 0 {
						t.Error("C8: the subscription is still known")
					}
				})
			})
		})
	}
}

// C2: a reader that gives up leaves, another one of the same subscription gets
// what it did not take.
func TestExploreReadersOfOneSubscription(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(4))
		s := newBook(t, b).s
		ctx, cancel := context.WithCancelCause(t.Context())
		got := 0
		r.Go("gives up", func() {
			if _, err := s.Next(ctx); err == nil {
				got++
			} else if err != errGone {
				t.Error(err)
			}
		})
		r.Go("reader", func() {
			r.Step("begin")
			if _, err := s.Next(t.Context()); err != nil {
				t.Error(err)
			}
			got++
		})
		r.Go("sender", func() {
			sendAll(t, b, 1)
			sched.Cancel(func() { cancel(errGone) })
			sendAll(t, b, 1)
		})
		r.After(func() {
			cancel(nil)
			if uint64(got)+s.Backlog() != 2 {
				t.Errorf("B2: %d got, %d left", got, s.Backlog())
			}
		})
	})
}
