package proofs_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/tandemgo/tandem/internal/spsc"
	"github.com/tandemgo/tandem/internal/stage"
	"github.com/tandemgo/tandem/pool"
)

// What can be done to a queue.
type (
	push     struct{ v int }
	pop      struct{} // answered by a popped
	remove   struct{ v int }
	giveBack struct{} // the one in hand leaves the queue

	popped struct {
		v  int
		ok bool
	}
)

// A queueState is what is in a queue, and how many of those that were taken count
// still.
type queueState struct {
	items  []int
	inHand int
	turn   int // of the last one pushed that is popped at some time
}

// queueModel is a first-in, first-out queue. With a bound, push answers whether
// there was room, and what was popped takes room until it is given back.
//
// It knows the whole history: what is popped sooner must have been pushed sooner.
// That changes nothing about which histories there are, but an order of pushes
// that can't be is left at once and not when one of them is popped.
func queueModel(bound int, h *history) porcupine.Model {
	turns := map[int]int{}
	slices.SortFunc(h.ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	for _, op := range h.ops {
		if got, ok := op.Output.(popped); ok && got.ok && h.inTurn {
			turns[got.v] = len(turns) + 1
		}
	}
	return porcupine.Model{
		Init: func() any { return queueState{} },
		Step: func(state, in, out any) (bool, any) {
			s := state.(queueState)
			switch in := in.(type) {
			case push:
				if bound > 0 {
					if room := len(s.items)+s.inHand < bound; !room || out == false {
						return out == room, s
					}
				}
				if turn := turns[in.v]; turn > 0 {
					if turn < s.turn {
						return false, s
					}
					s.turn = turn
				}
				s.items = append(slices.Clip(s.items), in.v)
				return true, s
			case pop:
				got := out.(popped)
				if !got.ok || len(s.items) == 0 || s.items[0] != got.v {
					return !got.ok && len(s.items) == 0, s
				}
				s.items, s.inHand = s.items[1:], s.inHand+min(bound, 1)
				return true, s
			case remove:
				i := slices.Index(s.items, in.v)
				if out == false || i < 0 {
					return out == (i >= 0), s
				}
				s.items = slices.Delete(slices.Clone(s.items), i, i+1)
				return true, s
			case giveBack:
				s.inHand = 0
				return true, s
			}
			panic("no such operation")
		},
		Equal: func(a, b any) bool {
			x, y := a.(queueState), b.(queueState)
			return x.inHand == y.inHand && x.turn == y.turn && slices.Equal(x.items, y.items)
		},
	}
}

var errCancelled = errors.New("cancelled")

// poolScene is a pool with one worker. A task is pushed while it is submitted,
// popped between the end of the one before and its own start, and removed while it
// is cancelled, unless it was popped.
func poolScene(t testing.TB, h *history, submitters, each int) scene {
	h.inTurn = true
	worker := &callLog{h: h, client: submitters}
	free := h.now() // since when the worker is
	p := pool.New(1, func(_ context.Context, id int) (int, error) {
		worker.note(pop{}, popped{id, true}, free, h.now())
		free = h.now()
		return id, nil
	}, pool.WithQueue(3))
	s := scene{model: func() porcupine.Model { return queueModel(0, h) }, end: func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		h.keep(worker)
	}}
	for client := range submitters {
		s.clients = append(s.clients, func(l *callLog) {
			for i := range each {
				id := client*each + i
				if i%3 == 2 {
					l.do(push{id}, func() any {
						if err := p.Go(t.Context(), id); err != nil {
							t.Error(err)
						}
						return nil
					})
					continue
				}
				var future *pool.Future[int]
				l.do(push{id}, func() any {
					var err error
					if future, err = p.Submit(t.Context(), id); err != nil {
						t.Error(err)
					}
					return nil
				})
				if i%3 == 0 && future != nil {
					l.do(remove{id}, func() any {
						future.Cancel(errCancelled)
						_, err := future.Wait(context.Background())
						return errors.Is(err, errCancelled) && errors.Is(err, pool.ErrNotStarted)
					})
				}
			}
		})
	}
	return s
}

// P1, P9: a pool with one worker is a queue, which can be left.
func TestPoolIsAQueue(t *testing.T) {
	threads(t, func(t testing.TB, h *history, _ int) scene { return poolScene(t, h, 4, 6) })
}

// ringScene is a ring with its receiver and, at a mutex, several senders.
func ringScene(t testing.TB, h *history, senders, each, capacity int) scene {
	h.inTurn = true
	l := spsc.New[int](capacity)
	mu := stage.NewMutex(nil)
	s := scene{model: func() porcupine.Model { return queueModel(capacity+1, h) }}
	s.clients = append(s.clients, func(log *callLog) {
		for range senders * each {
			log.do(giveBack{}, func() any { l.More(); return nil })
			log.do(pop{}, func() any { v, ok := l.TryPop(); return popped{v, ok} })
		}
	})
	for client := range senders {
		s.clients = append(s.clients, func(log *callLog) {
			for i := range each {
				v := client*each + i
				log.do(push{v}, func() any {
					if err := mu.Lock(t.Context()); err != nil {
						t.Error(err)
					}
					defer mu.Unlock()
					return l.TryPush(v)
				})
			}
		})
	}
	return s
}

// A ring behind a mutex is a bounded queue.
func TestRingIsAQueue(t *testing.T) {
	threads(t, func(t testing.TB, h *history, _ int) scene { return ringScene(t, h, 3, 12, 4) })
}

// What is no queue is not taken for one.
func TestModelRejectsNoQueues(t *testing.T) {
	for name, take := range map[string]func(items []int) (v int, rest []int){
		"a stack":                  func(items []int) (int, []int) { return items[len(items)-1], items[:len(items)-1] },
		"one that repeats":         func(items []int) (int, []int) { return items[0], items },
		"one that loses":           func(items []int) (int, []int) { return items[1], items[2:] },
		"one that makes things up": func(items []int) (int, []int) { return 99, items[1:] },
	} {
		h := newHistory()
		h.play(0, func(l *callLog) {
			var items []int
			for v := range 4 {
				l.do(push{v}, func() any { items = append(items, v); return true })
			}
			for range 2 {
				l.do(pop{}, func() any {
					var v int
					v, items = take(items)
					return popped{v, true}
				})
			}
		})
		t.Log(name)
		h.reject(t, queueModel(0, h))
		h.reject(t, queueModel(5, h))
	}
	for name, out := range map[string]struct{ first, second any }{
		"above its bound":      {true, true},
		"full too early":       {false, true},
		"in hand, not counted": {true, true},
	} {
		h := newHistory()
		h.play(0, func(l *callLog) {
			l.do(push{1}, func() any { return out.first })
			l.do(pop{}, func() any { return popped{1, true} })
			l.do(push{2}, func() any { return out.second })
		})
		t.Log(name)
		h.reject(t, queueModel(1, h))
	}
	h := newHistory()
	h.play(0, func(l *callLog) {
		l.do(push{1}, func() any { return true })
		l.do(remove{1}, func() any { return true })
		l.do(pop{}, func() any { return popped{1, true} })
	})
	h.reject(t, queueModel(0, h))
}
