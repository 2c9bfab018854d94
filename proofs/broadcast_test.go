package proofs_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/tandemgo/tandem/broadcast"
)

// A reader is a subscription, and what it should have.
type reader struct {
	s                         *broadcast.Subscription[int]
	policy                    broadcast.OverflowPolicy
	cursor, delivered, missed int
	end                       error // what it has ended with
	next                      chan readerNext
	cancel                    context.CancelFunc
}

type readerNext struct {
	v   int
	err error
}

// B1–B4, B7: a broadcast does what its log says, whatever the policies.
func TestBroadcastMachine(t *testing.T) {
	inBubbles(t, func(r *rapid.T) {
		ctx := r.Context()
		capacity := rapid.IntRange(1, 12).Draw(r, "capacity")
		b := broadcast.New[int](broadcast.WithCapacity(capacity))
		var log []int
		var readers []*reader
		closed := false
		defer func() {
			for _, rd := range readers {
				_ = rd.s.Close()
				rd.cancel()
			}
		}()
		// resume returns where a reader goes on.
		resume := func(rd *reader) int {
			switch {
			case len(log)-rd.cursor <= capacity:
				return rd.cursor
			case rd.policy == broadcast.SkipToLatest:
				return len(log) - 1
			case rd.policy == broadcast.Disconnect:
				return len(log)
			}
			return len(log) - capacity
		}
		room := func() int {
			n := capacity
			for _, rd := range readers {
				if rd.policy == broadcast.Block && rd.end == nil {
					n = min(n, rd.cursor+capacity-len(log))
				}
			}
			return n
		}
		// take returns what a reader gets, up to n values, and moves it there.
		take := func(rd *reader, n int) ([]int, error) {
			if rd.end != nil {
				return nil, rd.end
			}
			if gap := resume(rd) - rd.cursor; gap > 0 {
				rd.missed += gap
				rd.cursor += gap
				if rd.policy == broadcast.Disconnect {
					rd.end = broadcast.ErrSlow
					return nil, rd.end
				}
				return nil, &broadcast.GapError{Missed: uint64(gap)}
			}
			if rd.cursor == len(log) {
				return nil, broadcast.ErrClosed
			}
			vs := log[rd.cursor:min(rd.cursor+n, len(log))]
			rd.cursor += len(vs)
			rd.delivered += len(vs)
			return vs, nil
		}
		pick := func(r *rapid.T) *reader {
			if len(readers) == 0 {
				r.Skip("nobody subscribes")
			}
			return rapid.SampledFrom(readers).Draw(r, "subscription")
		}
		empty := func(rd *reader) bool { return rd.end == nil && rd.cursor == len(log) && !closed }
		r.Repeat(map[string]func(*rapid.T){
			"Subscribe": func(r *rapid.T) {
				if len(readers) > 5 || closed {
					r.Skip("enough")
				}
				policies := []broadcast.OverflowPolicy{broadcast.SkipOldest, broadcast.SkipToLatest, broadcast.Block, broadcast.Disconnect}
				rd := &reader{policy: rapid.SampledFrom(policies).Draw(r, "policy"), cancel: func() {}}
				replay := rapid.IntRange(0, 15).Draw(r, "replay")
				var err error
				if rd.s, err = b.Subscribe(broadcast.WithOverflow(rd.policy), broadcast.WithReplay(replay)); err != nil {
					r.Fatal(err)
				}
				rd.cursor = len(log) - min(replay, len(log), capacity)
				readers = append(readers, rd)
			},
			"TrySend": func(r *rapid.T) {
				want := error(nil)
				if closed {
					want = broadcast.ErrClosed
				} else if room() == 0 {
					want = broadcast.ErrFull
				}
				v := rapid.Int().Draw(r, "value")
				if err := b.TrySend(v); err != want {
					r.Fatalf("TrySend: %v, want %v", err, want)
				}
				if want == nil {
					log = append(log, v)
				}
			},
			"SendBatch": func(r *rapid.T) {
				n := room()
				if n == 0 || closed {
					r.Skip("no room")
				}
				vs := rapid.SliceOfN(rapid.Int(), 1, n).Draw(r, "values")
				if sent, err := b.SendBatch(ctx, vs); sent != len(vs) || err != nil {
					r.Fatalf("SendBatch: %d of %d, %v", sent, len(vs), err)
				}
				log = append(log, vs...)
			},
			"Next": func(r *rapid.T) {
				rd := pick(r)
				if rd.next != nil {
					r.Skip("it waits")
				}
				next := make(chan readerNext, 1)
				nextCtx, cancel := context.WithCancel(ctx)
				rd.next, rd.cancel = next, cancel
				go func() {
					v, err := rd.s.Next(nextCtx)
					next <- readerNext{v, err}
				}()
			},
			"NextBatch": func(r *rapid.T) {
				rd := pick(r)
				if rd.next != nil || empty(rd) {
					r.Skip("it would wait")
				}
				dst := make([]int, rapid.IntRange(1, 15).Draw(r, "room"))
				n, err := rd.s.NextBatch(ctx, dst)
				vs, want := take(rd, len(dst))
				if !slices.Equal(dst[:n], vs) || !sameError(err, want) {
					r.Fatalf("NextBatch: %v, %v; want %v, %v", dst[:n], err, vs, want)
				}
			},
			"Subscription.Close": func(r *rapid.T) {
				rd := pick(r)
				_ = rd.s.Close()
				if rd.end == nil {
					gap := resume(rd) - rd.cursor
					rd.missed, rd.cursor, rd.end = rd.missed+gap, rd.cursor+gap, broadcast.ErrClosed
				}
			},
			"Close": func(r *rapid.T) {
				if rapid.IntRange(0, 9).Draw(r, "luck") > 0 {
					r.Skip("not yet")
				}
				_ = b.Close()
				closed = true
			},
			"": func(r *rapid.T) {
				synctest.Wait()
				for i, rd := range readers {
					if rd.next != nil && !empty(rd) {
						vs, want := take(rd, 1)
						select {
						case got := <-rd.next:
							if !sameError(got.err, want) || want == nil && got.v != vs[0] {
								r.Fatalf("Next of %d: %d, %v; want %v, %v", i, got.v, got.err, vs, want)
							}
						default:
							r.Fatalf("Next of %d waits, want %v, %v", i, vs, want)
						}
						rd.cancel()
						rd.next = nil
					}
					if missed := rd.missed + resume(rd) - rd.cursor; rd.end == nil && int(rd.s.Missed()) != missed {
						r.Fatalf("%d has missed %d, want %d", i, rd.s.Missed(), missed)
					}
					if rd.end == nil && int(rd.s.Backlog()) != len(log)-resume(rd) {
						r.Fatalf("%d has a backlog of %d, want %d", i, rd.s.Backlog(), len(log)-resume(rd))
					}
				}
			},
		})
	})
}

func sameError(got, want error) bool {
	if gap, ok := errors.AsType[*broadcast.GapError](want); ok {
		g, ok := errors.AsType[*broadcast.GapError](got)
		return ok && g.Missed == gap.Missed
	}
	return errors.Is(got, want)
}
