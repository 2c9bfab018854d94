package proofs_test

import (
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/tandemgo/tandem/ratelimit"
)

// What can be done to a bucket that gets one permit an hour, in less than that.
type (
	take      struct{ n int } // answered by a taken
	reserve   struct{}        // answered by the hour, 0 for now
	unpromise struct{ hour int }

	taken struct {
		ok   bool
		left int // -1: it does not say
	}
)

// A bucketState is how many permits are left, less those that are reserved for later, and
// the hours at which one is promised.
type bucketState struct {
	left  int
	hours []int
}

// bucketModel is a bucket of permits none of which comes back, but for one an hour, which
// can be reserved: not for an hour before those that are promised.
func bucketModel(burst int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return bucketState{left: burst} },
		Step: func(state, in, out any) (bool, any) {
			s := state.(bucketState)
			switch in := in.(type) {
			case take:
				got, ok := out.(taken), in.n <= s.left
				if ok {
					s.left -= in.n
				}
				return got.ok == ok && (got.left < 0 || got.left == max(s.left, 0)), s
			case reserve:
				s.left--
				hour := max(-s.left, 0)
				if len(s.hours) > 0 {
					hour = max(hour, slices.Max(s.hours))
				}
				if hour > 0 {
					s.hours = append(slices.Clip(s.hours), hour)
				}
				return out == hour, s
			case unpromise:
				s.left++
				s.hours = slices.Clone(s.hours)
				if i := slices.Index(s.hours, in.hour); i >= 0 {
					s.hours = slices.Delete(s.hours, i, i+1)
				}
				return true, s
			}
			panic("no such operation")
		},
		Equal: func(a, b any) bool {
			x, y := a.(bucketState), b.(bucketState)
			return x.left == y.left && slices.Equal(slices.Sorted(slices.Values(x.hours)), slices.Sorted(slices.Values(y.hours)))
		},
	}
}

// bucketScene is a limiter from which clients take by all calls there are.
func bucketScene(h *history, clients, each, burst, first int) scene {
	l := ratelimit.New(ratelimit.Every(time.Hour), burst)
	s := scene{model: func() porcupine.Model { return bucketModel(burst) }}
	for client := range clients {
		s.clients = append(s.clients, func(log *callLog) {
			for i := range each {
				switch n := 1 + i%3; (i + client + first) % 4 {
				case 0:
					log.do(take{1}, func() any { return taken{l.Allow(), -1} })
				case 1:
					log.do(take{n}, func() any { return taken{l.AllowN(n), -1} })
				case 2:
					log.do(take{n}, func() any { d := l.Take(n); return taken{d.OK, d.Remaining} })
				case 3:
					from := h.now()
					r := l.Reserve()
					to := h.now()
					hour := int(r.Delay().Round(time.Hour) / time.Hour)
					log.note(reserve{}, hour, from, to)
					if i%2 == 0 && hour > 0 {
						log.do(unpromise{hour}, func() any { r.Cancel(); return nil })
					}
				}
			}
		})
	}
	return s
}

// R1, R2: a limiter is a bucket, by whatever call one takes from it: no permit is
// granted twice, none is lost, and the hour of a reservation that is cancelled is
// the next one's.
func TestLimiterIsABucket(t *testing.T) {
	threads(t, func(_ testing.TB, h *history, round int) scene { return bucketScene(h, 4, 12, 20, round) })
}

// A limiter that looks first and takes afterwards is not taken for one.
func TestModelRejectsNoBuckets(t *testing.T) {
	for name, ops := range map[string][]porcupine.Operation{
		"one that grants a permit twice": {
			{Input: take{2}, Output: taken{true, -1}, Call: 0, Return: 10},
			{Input: take{1}, Output: taken{true, -1}, Call: 5, Return: 15},
			{Input: take{1}, Output: taken{true, -1}, Call: 5, Return: 15},
		},
		"one that loses one": {
			{Input: take{1}, Output: taken{true, -1}, Call: 0, Return: 10},
			{Input: take{1}, Output: taken{true, -1}, Call: 20, Return: 30},
			{Input: take{1}, Output: taken{false, -1}, Call: 40, Return: 50},
		},
		"one that says what is not so": {
			{Input: take{1}, Output: taken{true, 2}, Call: 0, Return: 10},
			{Input: take{1}, Output: taken{true, 2}, Call: 0, Return: 10},
		},
		"one that promises an hour twice": {
			{Input: take{3}, Output: taken{true, -1}, Call: 0, Return: 10},
			{Input: reserve{}, Output: 1, Call: 20, Return: 30},
			{Input: reserve{}, Output: 1, Call: 20, Return: 30},
		},
		"one that keeps a cancelled hour": {
			{Input: take{3}, Output: taken{true, -1}, Call: 0, Return: 10},
			{Input: reserve{}, Output: 1, Call: 20, Return: 30},
			{Input: unpromise{1}, Call: 40, Return: 50},
			{Input: reserve{}, Output: 2, Call: 60, Return: 70},
		},
	} {
		t.Log(name)
		(&history{ops: ops}).reject(t, bucketModel(3))
	}
}
