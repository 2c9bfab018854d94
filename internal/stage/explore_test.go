//go:build points

package stage_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/sched"
	"github.com/tandemgo/tandem/internal/spsc"
	"github.com/tandemgo/tandem/internal/stage"
	"github.com/tandemgo/tandem/internal/testkit"
)

// A staged is workers between two rings.
type staged struct {
	in, out *spsc.Ring[int]
	workers *stage.Workers[int, int]
	wg      sync.WaitGroup
	begun   *testkit.Ledger
	ordered bool
}

// newStaged has work done by up to size workers, of which r starts the first.
// One for whose item work returns an error leaves.
func newStaged(ctx context.Context, r *explore.Run, in, out *spsc.Ring[int], size int, ordered bool, work func(int) (keep bool, err error)) *staged {
	c := &staged{in: in, out: out, begun: testkit.NewLedger(8), ordered: ordered}
	worker := func() {
		var j stage.Job[int, int]
		for {
			if ok, _ := c.workers.Next(ctx, &j); !ok {
				return
			}
			c.begun.Note(j.Item)
			v := j.Item
			keep, err := work(v)
			if err != nil {
				return
			}
			j.Result, j.Keep = v, keep
		}
	}
	c.workers = stage.New(in, out, size, ordered, func() { c.wg.Go(worker) })
	r.Go("worker", worker)
	return c
}

// arrive checks what was received.
func (c *staged) arrive(t testing.TB, got, want []int, err error) {
	t.Helper()
	if !c.ordered {
		got = slices.Sorted(slices.Values(got))
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// receives returns the items that are received until the end of the ring or of ctx.
func receives(ctx context.Context, r *spsc.Ring[int]) (got []int, err error) {
	for {
		v, ok, err := r.Pop(ctx)
		if !ok {
			return got, err
		}
		got = append(got, v)
	}
}

func sends(ctx context.Context, r *spsc.Ring[int], from, to int) error {
	for i := from; i < to; i++ {
		if err := r.Push(ctx, i); err != nil {
			return err
		}
	}
	r.Close()
	return nil
}

var errEnough = errors.New("enough")

func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func ordersOfWorkers(t *testing.T, explored func(t *testing.T, ordered bool)) {
	t.Run("ordered", func(t *testing.T) { explored(t, true) })
	t.Run("unordered", func(t *testing.T) { explored(t, false) })
}

// Three items that are there already go through two workers to a receiver on a
// link that has room for one or two; the second has no result.
func TestExploreTwoWorkers(t *testing.T) {
	ordersOfWorkers(t, func(t *testing.T, ordered bool) {
		for name, room := range map[string]int{"room for one": 0, "room for two": 1} {
			t.Run(name, func(t *testing.T) {
				explore.Explore(t, func(t testing.TB, r *explore.Run) {
					in, out := spsc.New[int](2), spsc.New[int](room)
					for i := range 3 {
						in.TryPush(i)
					}
					in.Close()
					c := newStaged(t.Context(), r, in, out, 2, ordered, func(v int) (bool, error) {
						sched.Opaque("at work")
						return v != 1, nil
					})
					r.Go("receiver", func() {
						got, err := receives(t.Context(), out)
						c.arrive(t, got, []int{0, 2}, err)
					})
					r.After(func() {
						c.wg.Wait()
						if c.begun.Total() != 3 {
							t.Errorf("%d items begun", c.begun.Total())
						}
						c.begun.AtMostOnce(t)
					})
				})
			})
		}
	})
}

// The sender sends as they work, and each item waits for another one to be at
// work: nobody sleeps while there is something to do. With room for two, the second
// one is there with a signal for the first alone.
func TestExploreAllAreWoken(t *testing.T) {
	ordersOfWorkers(t, func(t *testing.T, ordered bool) {
		for name, room := range map[string]int{"room for one": 0, "room for two": 1} {
			t.Run(name, func(t *testing.T) {
				explore.Explore(t, func(t testing.TB, r *explore.Run) {
					in, out := spsc.New[int](room), spsc.New[int](7)
					meet := make(chan struct{})
					c := newStaged(t.Context(), r, in, out, 2, ordered, func(v int) (bool, error) {
						if v%2 == 0 {
							meet <- struct{}{}
						} else {
							<-meet
						}
						return true, nil
					})
					r.Go("sender", func() { _ = sends(t.Context(), in, 0, 4) })
					r.After(func() {
						c.wg.Wait()
						got, err := receives(t.Context(), out)
						c.arrive(t, got, upTo(4), err)
					})
				})
			})
		}
	})
}

// The context ends while three workers are parked, or about to be, and one is woken at
// each ring: whoever is woken wakes the next.
func TestExploreWorkersAreCancelled(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		in, out := spsc.New[int](2), spsc.New[int](7)
		in.TryPush(0)
		in.TryPush(1)
		ctx, cancel := context.WithCancelCause(t.Context())
		c := newStaged(ctx, r, in, out, 3, true, func(int) (bool, error) { return true, nil })
		r.Go("canceller", func() {
			sched.Cancel(func() { cancel(errEnough) })
			in.Wake()
			out.Wake()
			c.wg.Wait() // at the latest here
		})
	})
}

// Nothing comes of the items: the workers report once that all are done.
func TestExploreWorkersEnd(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		in := spsc.New[int](0)
		done, ends := 0, 0
		c := newStaged(t.Context(), r, in, nil, 3, false, func(int) (bool, error) {
			sched.Opaque("at work")
			done++
			return false, nil
		})
		c.workers.End = func() {
			if ends++; done != 2 {
				t.Errorf("the end after %d items", done)
			}
		}
		r.Go("sender", func() { _ = sends(t.Context(), in, 0, 2) })
		r.After(func() {
			c.wg.Wait()
			if ends != 1 {
				t.Errorf("the end was said %d times", ends)
			}
		})
	})
}

// An item fails, and its worker leaves without putting it down: everybody leaves
// with the context, and nothing that is behind it in order has come out.
func TestExploreAWorkerFails(t *testing.T) {
	ordersOfWorkers(t, func(t *testing.T, ordered bool) {
		explore.Explore(t, func(t testing.TB, r *explore.Run) {
			in, out := spsc.New[int](2), spsc.New[int](0)
			ctx, cancel := context.WithCancelCause(t.Context())
			c := newStaged(ctx, r, in, out, 2, ordered, func(v int) (bool, error) {
				if v != 1 {
					return true, nil
				}
				sched.Cancel(func() { cancel(errEnough) })
				in.Wake()
				out.Wake()
				return false, errEnough
			})
			for i := range 3 {
				in.TryPush(i)
			}
			r.Go("receiver", func() {
				got, err := receives(ctx, out)
				if err != errEnough || ordered && len(got) > 1 || slices.Contains(got, 1) {
					t.Errorf("got %v, %v", got, err)
				}
			})
			r.After(c.wg.Wait)
		})
	})
}

// One at a time is inside, nobody is forgotten, and whoever gives up takes
// nobody's turn with him.
func TestExploreMutex(t *testing.T) {
	for _, c := range []struct {
		name                    string
		contenders, turns, quit int
	}{
		{"two", 2, 2, 0},
		{"three", 3, 1, 0},
		{"one gives up", 2, 1, 1},
		{"two give up", 1, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			explore.Explore(t, func(t testing.TB, r *explore.Run) {
				g := stage.NewMutex(nil)
				ctx, cancel := context.WithCancelCause(t.Context())
				var inside testkit.Gauge
				entries := 0
				turns := func(ctx context.Context, n int) {
					for range n {
						if err := g.Lock(ctx); err != nil {
							if err != errEnough {
								t.Error(err)
							}
							return
						}
						inside.Enter()
						sched.Opaque("inside")
						entries++
						inside.Leave()
						g.Unlock()
					}
				}
				for range c.contenders {
					r.Go("contender", func() { turns(t.Context(), c.turns) })
				}
				for range c.quit {
					r.Go("quitter", func() { turns(ctx, 1) })
				}
				if c.quit > 0 {
					r.Go("canceller", func() { sched.Cancel(func() { cancel(errEnough) }) })
				}
				r.After(func() {
					cancel(nil)
					if inside.Most() != 1 || entries < c.contenders*c.turns {
						t.Errorf("%d inside at once, %d entries", inside.Most(), entries)
					}
				})
			})
		})
	}
}
