//go:build points

package link_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/tandemgo/tandem/internal/explore"
	"github.com/tandemgo/tandem/internal/link"
	"github.com/tandemgo/tandem/internal/point"
	"github.com/tandemgo/tandem/internal/testkit"
)

// A crewed is a crew between two links.
type crewed struct {
	in, out *link.Link[int]
	crew    *link.Crew[int, int]
	wg      sync.WaitGroup
	begun   *testkit.Ledger
	ordered bool
}

// newCrewed has work done by up to size workers, of which r starts the first.
// One for whose item work returns an error leaves.
func newCrewed(ctx context.Context, r *explore.Run, in, out *link.Link[int], size int, ordered bool, work func(int) (keep bool, err error)) *crewed {
	c := &crewed{in: in, out: out, begun: testkit.NewLedger(8), ordered: ordered}
	worker := func() {
		var j link.Job[int, int]
		for {
			if ok, _ := c.crew.Turn(ctx, &j); !ok {
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
	c.crew = link.NewCrew(in, out, size, ordered, func() { c.wg.Go(worker) })
	r.Go("worker", worker)
	return c
}

// arrive checks what was received.
func (c *crewed) arrive(t testing.TB, got, want []int, err error) {
	t.Helper()
	if !c.ordered {
		got = slices.Sorted(slices.Values(got))
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func kindsOfCrew(t *testing.T, explored func(t *testing.T, ordered bool)) {
	t.Run("ordered", func(t *testing.T) { explored(t, true) })
	t.Run("unordered", func(t *testing.T) { explored(t, false) })
}

// Three items that are there already go through two workers to a receiver on a
// link that has room for one or two; the second has no result.
func TestExploreCrewOfTwo(t *testing.T) {
	kindsOfCrew(t, func(t *testing.T, ordered bool) {
		for name, room := range map[string]int{"room for one": 0, "room for two": 1} {
			t.Run(name, func(t *testing.T) {
				explore.Explore(t, func(t testing.TB, r *explore.Run) {
					in, out := link.New[int](2), link.New[int](room)
					for i := range 3 {
						in.Put(i)
					}
					in.Close()
					c := newCrewed(t.Context(), r, in, out, 2, ordered, func(v int) (bool, error) {
						point.At("at work")
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
func TestExploreCrewWakesEverybody(t *testing.T) {
	kindsOfCrew(t, func(t *testing.T, ordered bool) {
		for name, room := range map[string]int{"room for one": 0, "room for two": 1} {
			t.Run(name, func(t *testing.T) {
				explore.Explore(t, func(t testing.TB, r *explore.Run) {
					in, out := link.New[int](room), link.New[int](7)
					meet := make(chan struct{})
					c := newCrewed(t.Context(), r, in, out, 2, ordered, func(v int) (bool, error) {
						if v%2 == 0 {
							meet <- struct{}{}
						} else {
							<-meet
						}
						point.At("has met")
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

// The context ends while three workers are parked, or about to be, and a bell rings
// once at each end: whoever it wakes wakes the next.
func TestExploreACrewIsCancelled(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		in, out := link.New[int](2), link.New[int](7)
		in.Attend()
		out.Attend()
		in.Put(0)
		in.Put(1)
		ctx, cancel := context.WithCancelCause(t.Context())
		c := newCrewed(ctx, r, in, out, 3, true, func(int) (bool, error) { return true, nil })
		r.Go("canceller", func() {
			cancel(errEnough)
			point.At("has cancelled")
			in.Ring()
			point.At("has rung at one end")
			out.Ring()
			c.wg.Wait() // at the latest here
		})
	})
}

// Nothing comes of the items: the crew says once that all are done.
func TestExploreCrewEnds(t *testing.T) {
	explore.Explore(t, func(t testing.TB, r *explore.Run) {
		in := link.New[int](0)
		done, ends := 0, 0
		c := newCrewed(t.Context(), r, in, nil, 3, false, func(int) (bool, error) {
			point.At("at work")
			done++
			return false, nil
		})
		c.crew.End = func() {
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
	kindsOfCrew(t, func(t *testing.T, ordered bool) {
		for _, attended := range []bool{false, true} {
			t.Run(bellOrNot(attended), func(t *testing.T) {
				explore.Explore(t, func(t testing.TB, r *explore.Run) {
					in, out := link.New[int](2), link.New[int](0)
					if attended {
						in.Attend()
						out.Attend()
					}
					ctx, cancel := context.WithCancelCause(t.Context())
					c := newCrewed(ctx, r, in, out, 2, ordered, func(v int) (bool, error) {
						if v != 1 {
							return true, nil
						}
						cancel(errEnough)
						point.At("has failed")
						if attended {
							in.Ring()
							out.Ring()
						}
						return false, errEnough
					})
					for i := range 3 {
						in.Put(i)
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
	})
}
