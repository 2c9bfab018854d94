package broadcast_test

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"weak"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/internal/casttest"
)

// isEnd reports whether err is that of a subscription whose context has ended.
func isEnd(err error) bool {
	return errors.Is(err, broadcast.ErrClosed) && errors.Is(err, errLateEnd)
}

// ways are the ways to read one value. They return false and the error at the end.
var ways = map[string]func(s *broadcast.Subscription[int]) (int, bool, error){
	"Next": func(s *broadcast.Subscription[int]) (int, bool, error) {
		v, err := s.Next(context.Background())
		return v, err == nil, err
	},
	"NextBatch": func(s *broadcast.Subscription[int]) (int, bool, error) {
		dst := make([]int, 1)
		n, err := s.NextBatch(context.Background(), dst)
		return dst[0], n == 1, err
	},
	"All": func(s *broadcast.Subscription[int]) (int, bool, error) {
		for _, v := range casttest.WithGaps(s.All(context.Background())) {
			return v, true, nil
		}
		_, err := s.Next(context.Background())
		return 0, false, err
	},
	"Chan": func(s *broadcast.Subscription[int]) (int, bool, error) {
		if v, ok := <-broadcast.Chan(s, 0); ok {
			return v, true, nil
		}
		_, err := s.Next(context.Background())
		return 0, false, err
	},
}

// B4: nothing is delivered after the context of a subscription has ended: neither
// what was there before nor what is sent afterwards, however the subscription began,
// whatever its policy, and however it is read.
func TestB4NothingIsDeliveredAfterTheContext(t *testing.T) {
	type source struct {
		subscribe func(opts ...broadcast.SubscribeOption) (*broadcast.Subscription[int], error)
		send      func(v int) error
	}
	sources := map[string]func() source{
		"Broadcast": func() source {
			b := broadcast.New[int](broadcast.WithCapacity(4))
			return source{b.Subscribe, b.TrySend}
		},
		"Topics": func() source {
			x := broadcast.NewTopics[string, int](broadcast.WithCapacity(4))
			must(x.Subscribe("k")) // the topic stays
			return source{
				func(opts ...broadcast.SubscribeOption) (*broadcast.Subscription[int], error) {
					return x.Subscribe("k", opts...)
				},
				func(v int) error { return x.TrySend("k", v) },
			}
		},
	}
	begins := map[string][]broadcast.SubscribeOption{
		"now": nil, "Replay": {broadcast.WithReplay(3)}, "From": {broadcast.WithStart(1)}, "From a gap": {broadcast.WithStart(0)},
	}
	policies := map[string]broadcast.OverflowPolicy{
		"SkipOldest": broadcast.SkipOldest, "SkipToLatest": broadcast.SkipToLatest, "Block": broadcast.Block, "Disconnect": broadcast.Disconnect,
	}
	afterwards := map[string]func(src source){
		"nothing is sent": func(source) {},
		"a value is sent": func(src source) { must0(src.send(100)) },
		"many are sent":   func(src source) { sendTo(t, src.send, 100, 120) },
	}
	for sourceName, open := range sources {
		for begin, opts := range begins {
			for policyName, policy := range policies {
				for wayName, read := range ways {
					for after, do := range afterwards {
						for before := range 3 {
							src := open()
							sendTo(t, src.send, 0, 5) // 0 is not retained
							ctx := newLateContext()
							s := must(src.subscribe(append([]broadcast.SubscribeOption{broadcast.WithOverflow(policy), broadcast.WithContext(ctx)}, opts...)...))
							for v := range before {
								if begin == "now" {
									must0(src.send(10 + v))
								}
							}
							ctx.end()
							do(src)
							for range 2 {
								if v, ok, err := read(s); ok || !isEnd(err) {
									t.Errorf("%s, %s, %s, %s, %s: got %d, %v after the end", sourceName, begin, policyName, wayName, after, v, err)
								}
							}
						}
					}
				}
			}
		}
	}
}

func sendTo(t testing.TB, send func(int) error, from, to int) {
	t.Helper()
	for v := from; v < to; v++ {
		if err := send(v); err != nil {
			t.Fatalf("send %d: %v", v, err)
		}
	}
}

// B4: a context that ends in the middle of a walk ends it before the next value.
func TestB4ContextEndsInAWalk(t *testing.T) {
	for name, read := range ways {
		synctest.Test(t, func(t *testing.T) {
			b := broadcast.New[int]()
			ctx := newLateContext()
			s := must(b.Subscribe(broadcast.WithContext(ctx)))
			other := must(b.Subscribe())
			send(t, b, 0, 10)
			for i := range 3 {
				if v, ok, err := read(s); v != i || !ok {
					t.Errorf("%s: got %d, %v", name, v, err)
				}
			}
			synctest.Wait() // the goroutine of Chan waits with the next value
			ctx.end()
			if v, ok, err := read(s); ok || !isEnd(err) {
				t.Errorf("%s: got %d, %v after the end", name, v, err)
			}
			send(t, b, 10, 12)
			if s.Backlog() != 7 || s.Missed() != 0 || s.Position() != 3 {
				t.Errorf("%s: %d left, %d missed, at %d", name, s.Backlog(), s.Missed(), s.Position())
			}
			if other.Backlog() != 12 {
				t.Errorf("the other one has %d", other.Backlog())
			}
			s.Close()
		})
	}
	b := broadcast.New[int]()
	ctx := newLateContext()
	s := must(b.Subscribe(broadcast.WithContext(ctx)))
	send(t, b, 0, 10)
	n := 0
	for range casttest.WithGaps(s.All(t.Context())) {
		if n++; n == 3 {
			ctx.end()
		}
	}
	if n != 3 {
		t.Errorf("the walk went on to %d values", n)
	}
}

// B4: a value that is sent after the context has ended does not reach a reader that
// was waiting for one.
func TestB4WaitingReaderAfterTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int]()
		ctx := newLateContext()
		s := must(b.Subscribe(broadcast.WithContext(ctx)))
		result := make(chan error, 1)
		go func() {
			_, err := s.Next(t.Context())
			result <- err
		}()
		ch := broadcast.Chan(must(b.Subscribe(broadcast.WithContext(ctx))), 3)
		synctest.Wait()
		ctx.end()
		send(t, b, 0, 1)
		if err := <-result; !isEnd(err) {
			t.Errorf("got %v", err)
		}
		if v, ok := <-ch; ok {
			t.Errorf("Chan gave %d", v)
		}
	})
}

// B4: a Block subscription whose context has ended is in the way of no sender, from
// that instant on, and misses nothing in its books.
func TestB4EndedBlockIsInNobodysWay(t *testing.T) {
	sends := map[string]func(b *broadcast.Broadcast[int]) error{
		"TrySend": func(b *broadcast.Broadcast[int]) error { return b.TrySend(9) },
		"Send":    func(b *broadcast.Broadcast[int]) error { return b.Send(t.Context(), 9) },
		"SendBatch": func(b *broadcast.Broadcast[int]) error {
			_, err := b.SendBatch(t.Context(), []int{9, 10, 11, 12, 13})
			return err
		},
	}
	for name, call := range sends {
		for others := range 3 {
			synctest.Test(t, func(t *testing.T) {
				b := broadcast.New[int](broadcast.WithCapacity(2))
				ctx, also := newLateContext(), newLateContext()
				s := must(b.Subscribe(broadcast.WithOverflow(broadcast.Block), broadcast.WithContext(ctx)))
				open := must(b.Subscribe(broadcast.WithOverflow(broadcast.SkipOldest), broadcast.WithContext(newLateContext())))
				for range others {
					must(b.Subscribe(broadcast.WithOverflow(broadcast.Block), broadcast.WithContext(also)))
				}
				send(t, b, 0, 2)
				if err := b.TrySend(2); err != broadcast.ErrFull {
					t.Errorf("%s: %v before the end", name, err)
				}
				ctx.end()
				also.end()
				if err := call(b); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if s.Missed() != 0 || s.Backlog() != 2 || s.Position() != 0 {
					t.Errorf("%s: %d missed, %d left, at %d", name, s.Missed(), s.Backlog(), s.Position())
				}
				if v, err := s.Next(t.Context()); !isEnd(err) {
					t.Errorf("%s: got %d, %v", name, v, err)
				}
				if got := b.Stats(); len(got.Subscriptions) != 1 || open.Missed()+open.Backlog() != got.Sent {
					t.Errorf("%s: %+v", name, got)
				}
			})
		}
	}
}

// B4: a sender that waits for Block subscriptions goes on as soon as the last of them
// has ended or has read, whichever the sender looks at.
func TestB4EndOfAContextFreesAWaitingSender(t *testing.T) {
	const n = 3
	for order := range n {
		for reads := range 1 << n { // which of them read, and do not end
			synctest.Test(t, func(t *testing.T) {
				b := broadcast.New[int](broadcast.WithCapacity(1))
				var ends [n]context.CancelFunc
				var subs [n]*broadcast.Subscription[int]
				for i := range n {
					ctx, end := context.WithCancel(t.Context())
					ends[i], subs[i] = end, must(b.Subscribe(broadcast.WithOverflow(broadcast.Block), broadcast.WithContext(ctx)))
				}
				send(t, b, 0, 1)
				sent := make(chan error, 2)
				go func() { sent <- b.Send(t.Context(), 1) }()
				synctest.Wait()
				for i := range n {
					if len(sent) > 0 {
						t.Fatal("sent past one that has no room")
					}
					i = (i + order) % n
					if reads&(1<<i) != 0 {
						must(subs[i].Next(t.Context()))
					} else {
						ends[i]()
					}
					synctest.Wait()
				}
				if len(sent) != 1 {
					t.Fatalf("order %d, readers %b: the sender waits", order, reads)
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
				for i, s := range subs {
					if s.Missed() > 0 {
						t.Errorf("a Block subscription missed %d", s.Missed())
					}
					if left := s.Backlog(); left != 1 {
						t.Errorf("subscription %d of readers %b has %d left", i, reads, left)
					}
				}
			})
		}
	}
}

// B4: senders that wait in line behind one another are all freed, in their order.
func TestB4EndOfAContextFreesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := broadcast.New[int](broadcast.WithCapacity(1))
		ctx, end := context.WithCancel(t.Context())
		must(b.Subscribe(broadcast.WithOverflow(broadcast.Block), broadcast.WithContext(ctx)))
		gone, cancel := context.WithCancelCause(t.Context())
		send(t, b, 0, 1)
		sent := make(chan error, 4)
		for i, sender := range []context.Context{gone, t.Context(), t.Context()} {
			go func() { sent <- b.Send(sender, i+1) }()
			synctest.Wait()
		}
		cancel(errLateEnd) // another one is the first in line
		if err := <-sent; err != errLateEnd {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if len(sent) > 0 {
			t.Error("sent past one that has no room")
		}
		end()
		for range 2 {
			if err := <-sent; err != nil {
				t.Error(err)
			}
		}
		if n := b.Stats().Sent; n != 3 {
			t.Errorf("%d sent", n)
		}
	})
}

// B4, T2: a subscription under a context that has ended has ended from the first: it
// is in no books, in nobody's way, and no topic stays for it.
func TestB4SubscribeAfterTheContext(t *testing.T) {
	ended := newLateContext()
	ended.end()
	cause, cancel := context.WithCancelCause(t.Context())
	cancel(errLateEnd)
	for name, ctx := range map[string]context.Context{"one of its own": ended, "one of package context": cause} {
		b := broadcast.New[int](broadcast.WithCapacity(1))
		x := broadcast.NewTopics[string, int](broadcast.WithCapacity(1))
		send(t, b, 0, 3)
		opts := []broadcast.SubscribeOption{broadcast.WithContext(ctx), broadcast.WithOverflow(broadcast.Block), broadcast.WithReplay(5)}
		for range 200 {
			for _, s := range []*broadcast.Subscription[int]{must(b.Subscribe(opts...)), must(x.Subscribe("k", opts...))} {
				if st := b.Stats(); len(st.Subscriptions) > 0 {
					t.Fatalf("%s: %+v", name, st)
				}
				if keys := slices.Collect(x.Keys()); len(keys) > 0 {
					t.Fatalf("%s: %v", name, keys)
				}
				must0(b.TrySend(7))
				must0(x.TrySend("k", 7))
				for way, read := range ways {
					if v, ok, err := read(s); ok || !isEnd(err) {
						t.Fatalf("%s: %s got %d, %v", name, way, v, err)
					}
				}
				select {
				case <-broadcast.Chan(s, 0):
				default:
					t.Fatal("the channel of a subscription that has ended is open")
				}
				must0(s.Close())
			}
		}
		if len(slices.Collect(x.Keys())) > 0 {
			t.Error("a topic stays")
		}
	}
}

// B2: the books of a subscription whose context has ended are those of the first look
// at it, and stay; Stats has those that are open only.
func TestB2BooksAfterTheContext(t *testing.T) {
	looks := map[string]func(s *broadcast.Subscription[int]){
		"Backlog":  func(s *broadcast.Subscription[int]) { s.Backlog() },
		"Missed":   func(s *broadcast.Subscription[int]) { s.Missed() },
		"Position": func(s *broadcast.Subscription[int]) { s.Position() },
		"Next":     func(s *broadcast.Subscription[int]) { _, _ = s.Next(context.Background()) },
		"Chan":     func(s *broadcast.Subscription[int]) { broadcast.Chan(s, 1) },
		"Close":    func(s *broadcast.Subscription[int]) { _ = s.Close() },
	}
	for name, look := range looks {
		b := broadcast.New[int](broadcast.WithCapacity(4))
		ctx := newLateContext()
		s := must(b.Subscribe(broadcast.WithContext(ctx)))
		send(t, b, 0, 7)
		if _, err := s.Next(t.Context()); err == nil {
			t.Error("no gap was reported")
		}
		must(s.Next(t.Context()))
		ctx.end()
		if n := len(b.Stats().Subscriptions); n != 0 {
			t.Errorf("%d are open", n)
		}
		look(s)
		send(t, b, 7, 20)
		if s.Missed() != 3 || s.Backlog() != 3 || s.Position() != 4 {
			t.Errorf("%s: %d missed, %d left, at %d", name, s.Missed(), s.Backlog(), s.Position())
		}
		s.Close()
		if _, err := s.Next(t.Context()); !isEnd(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// B4: the reason of the end is the first one: what closes a subscription after its
// context has ended changes nothing, and a context that ends after Close does not.
func TestB4TheFirstReasonCounts(t *testing.T) {
	b := broadcast.New[int](broadcast.WithCapacity(1))
	ctx := newLateContext()
	first := must(b.Subscribe(broadcast.WithContext(ctx)))
	slow := must(b.Subscribe(broadcast.WithContext(ctx), broadcast.WithOverflow(broadcast.Disconnect)))
	closed := must(b.Subscribe(broadcast.WithContext(ctx)))
	must0(closed.Close())
	send(t, b, 0, 3)
	ctx.end()
	must0(first.Close())
	must0(b.Close())
	for _, s := range []*broadcast.Subscription[int]{first, slow} {
		if _, err := s.Next(t.Context()); !isEnd(err) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := closed.Next(t.Context()); err != broadcast.ErrClosed {
		t.Errorf("got %v", err)
	}
}

// W2: a walk over the changes of a Latest yields nothing after its context has ended.
func TestW2NothingAfterTheContext(t *testing.T) {
	var l broadcast.Latest[int]
	ctx := newLateContext()
	changes := l.Changes(ctx)
	l.Set(1)
	var got []int
	for v := range changes {
		got = append(got, v)
		l.Set(2)
		ctx.end()
	}
	for v := range changes {
		got = append(got, v)
	}
	if !slices.Equal(got, []int{1}) {
		t.Errorf("got %v", got)
	}
}

// C8: a subscription that has ended and is kept holds neither the log nor its context
// nor its topic.
func TestC8EndedSubscriptionKeepsNothing(t *testing.T) {
	type blob struct{ _ [1 << 10]byte }
	type key struct{}
	ends := map[string]func(s *broadcast.Subscription[*blob], cancel func()){
		"Close":   func(s *broadcast.Subscription[*blob], _ func()) { must0(s.Close()) },
		"context": func(s *broadcast.Subscription[*blob], cancel func()) { cancel(); s.Missed() },
		"slow": func(s *broadcast.Subscription[*blob], _ func()) {
			if _, err := s.Next(context.Background()); err != broadcast.ErrSlow {
				t.Errorf("got %v", err)
			}
		},
	}
	for name, end := range ends {
		for where := range maps.Keys(map[string]bool{"broadcast": true, "topics": true}) {
			var kept *broadcast.Subscription[*blob]
			var old []weak.Pointer[blob]
			func() {
				value, carried := new(blob), new(blob)
				old = []weak.Pointer[blob]{weak.Make(value), weak.Make(carried)}
				ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, carried))
				defer cancel()
				opts := []broadcast.SubscribeOption{broadcast.WithContext(ctx), broadcast.WithOverflow(broadcast.Disconnect)}
				b := broadcast.New[*blob](broadcast.WithCapacity(1))
				x := broadcast.NewTopics[string, *blob](broadcast.WithCapacity(1))
				values := []*blob{value, value, value}
				if where == "topics" {
					kept = must(x.Subscribe("k", opts...))
					must(x.SendBatch(context.Background(), "k", values))
				} else {
					kept = must(b.Subscribe(opts...))
					must(b.SendBatch(context.Background(), values))
				}
				end(kept, cancel)
			}()
			for range 5 {
				runtime.GC()
			}
			for i, p := range old {
				if p.Value() != nil {
					t.Errorf("%s, %s: it holds its %s", where, name, []string{"log", "context"}[i])
				}
			}
			if _, err := kept.Next(context.Background()); err == nil {
				t.Error("it has not ended")
			}
		}
	}
}
