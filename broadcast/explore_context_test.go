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

// contexts are a context whose AfterFunc runs soon, and one whose AfterFunc never runs.
var contexts = map[string]func(parent context.Context) (context.Context, func()){
	"soon": func(parent context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(parent)
		return ctx, func() { sched.Cancel(func() { cancel(errLateEnd) }) }
	},
	"never": func(context.Context) (context.Context, func()) {
		ctx := newLateContext()
		return ctx, func() { sched.Cancel(ctx.end) }
	},
}

// B4: what is sent after the context of a subscription has ended does not reach it,
// and a reader that comes after the end gets nothing.
func TestExploreNothingAfterTheContext(t *testing.T) {
	for name, open := range contexts {
		t.Run(name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				b := broadcast.New[uint64](broadcast.WithCapacity(2))
				ctx, end := open(t.Context())
				k := newBook(t, b, broadcast.WithContext(ctx))
				var ended sched.Bool
				r.Go("reader", func() {
					for {
						before := ended.Load()
						err := k.read(t.Context(), 1)
						if err != nil {
							if !errors.Is(err, broadcast.ErrClosed) || !errors.Is(err, errLateEnd) {
								t.Error(err)
							}
							return
						}
						if before || k.next > 1 {
							t.Errorf("B4: value %d after the end", k.next-1)
						}
					}
				})
				r.Go("sender", func() {
					sendAll(t, b, 1)
					end()
					ended.Store(true)
					if err := b.TrySend(1); err != nil {
						t.Error(err)
					}
				})
				r.Go("books", func() {
					if st := b.Stats(); len(st.Subscriptions) > 0 {
						if s := st.Subscriptions[0]; s.Delivered+s.Missed+s.Backlog != st.Sent {
							t.Errorf("B2: %+v", st)
						}
					}
				})
				r.After(func() {
					if all := uint64(len(k.got)) + k.s.Backlog(); all != 1 && all != 2 || k.s.Missed() > 0 {
						t.Errorf("B2: %d got, %d left, %d missed", len(k.got), k.s.Backlog(), k.s.Missed())
					}
				})
			})
		})
	}
}

// B4: a sender goes on as soon as the Block subscriptions in its way have read or
// ended, and a subscription misses nothing until it ends.
func TestExploreContextFreesTheSender(t *testing.T) {
	open := contexts["soon"] // a sender that waits does not look itself
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(1))
		ctx, end := open(t.Context())
		reads, _ := open(t.Context())
		gone := newBook(t, b, broadcast.WithOverflow(broadcast.Block), broadcast.WithContext(ctx))
		k := newBook(t, b, broadcast.WithOverflow(broadcast.Block), broadcast.WithContext(reads))
		r.Go("ends", end)
		r.Go("reader", func() {
			if err := k.read(t.Context(), 2); err != nil || k.missed > 0 {
				t.Errorf("%v, %d missed", err, k.missed)
			}
		})
		r.Go("sender", func() { sendAll(t, b, 2) })
		r.After(func() {
			if gone.s.Missed() > 0 || gone.s.Backlog() > 1 {
				t.Errorf("B2: %d missed, %d left", gone.s.Missed(), gone.s.Backlog())
			}
		})
	})
}

// B2, B4: of several senders that find a Block subscription that has ended in their
// way, none sends anything before its books are closed.
func TestExploreBooksOfAnEndedBlock(t *testing.T) {
	open := contexts["soon"] // a sender that waits does not look itself
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		b := broadcast.New[uint64](broadcast.WithCapacity(1))
		ctx, end := open(t.Context())
		k := newBook(t, b, broadcast.WithOverflow(broadcast.Block), broadcast.WithContext(ctx))
		sendAll(t, b, 1)
		r.Go("ends", end)
		for _, name := range []string{"sender", "another"} {
			r.Go(name, func() {
				if err := b.Send(t.Context(), 1); err != nil {
					t.Error(err)
				}
			})
		}
		r.After(func() {
			if k.s.Missed() > 0 || k.s.Backlog() != 1 {
				t.Errorf("B2: %d missed, %d left", k.s.Missed(), k.s.Backlog())
			}
		})
	})
}

// W2: a value that is set after the context of a walk has ended is not yielded.
func TestExploreLatestAfterTheContext(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		var l broadcast.Latest[int]
		ctx, cancel := context.WithCancel(t.Context())
		r.Go("walk", func() {
			for v := range l.Changes(ctx) {
				if v == 2 {
					t.Error("a value that was set after the end")
				}
			}
		})
		r.Go("set", func() {
			l.Set(1)
			sched.Cancel(cancel)
			l.Set(2)
		})
	})
}
