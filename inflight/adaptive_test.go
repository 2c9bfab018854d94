package inflight_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/inflight"
)

// fill takes all that is free, lets d pass, and releases it.
func fill(l *inflight.Limiter, d time.Duration, outcome inflight.Outcome) (n int) {
	var ps []inflight.Permit
	for p, ok := l.TryAcquire(1); ok; p, ok = l.TryAcquire(1) {
		ps = append(ps, p)
	}
	time.Sleep(d)
	for i := range ps {
		ps[i].Release(outcome)
	}
	return len(ps)
}

// The limit begins with the minimum and stays between that and the maximum.
func TestI7StaysInItsRange(t *testing.T) {
	for _, le := range learners {
		t.Run(le.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := inflight.NewAdaptive(3, 20, le.algorithm())
				if l.Limit() != 3 {
					t.Errorf("it begins with %d", l.Limit())
				}
				most := 0
				for i := range 2000 {
					d, outcome := roundTrip, inflight.Success
					if i > 1000 {
						d, outcome = time.Duration(i)*roundTrip, inflight.Outcome(i%3)
					}
					fill(l, d, outcome)
					if n := l.Limit(); n < 3 || n > 20 {
						t.Fatalf("limit %d", n)
					} else {
						most = max(most, n)
					}
				}
				if most != 20 || l.Stats().InFlight != 0 {
					t.Errorf("at most %d, %v", most, l.Stats())
				}
			})
		})
	}
}

// A clock that does not move between the two ends of a permit, as in a bubble or where it is
// coarse, shows no queue: the limit grows to the maximum, and no further.
func TestI7LatencyOfZero(t *testing.T) {
	for _, le := range learners {
		synctest.Test(t, func(t *testing.T) {
			l := inflight.NewAdaptive(3, 20, le.algorithm())
			for range 200 {
				fill(l, 0, inflight.Success)
				if n := l.Limit(); n < 3 || n > 20 {
					t.Fatalf("%s: limit %d", le.name, n)
				}
			}
			if l.Limit() != 20 {
				t.Errorf("%s: limit %d", le.name, l.Limit())
			}
		})
	}
}

// The limit does not grow if less than half of it is asked for.
func TestI7UnusedLimitsDoNotGrow(t *testing.T) {
	for _, le := range learners {
		synctest.Test(t, func(t *testing.T) {
			l := inflight.NewAdaptive(4, 100, le.algorithm())
			for range 1000 {
				p := must(t, l, 1)
				time.Sleep(roundTrip)
				p.Release(inflight.Success)
			}
			if l.Limit() != 4 {
				t.Errorf("%s: limit %d", le.name, l.Limit())
			}
		})
	}
}

// What is ignored changes nothing, and does not keep a round from ending.
func TestI7IgnoredIsIgnored(t *testing.T) {
	for _, le := range learners {
		synctest.Test(t, func(t *testing.T) {
			l := inflight.NewAdaptive(4, 100, le.algorithm())
			for range 100 {
				fill(l, time.Hour, inflight.Ignored)
			}
			if st := l.Stats(); st.Limit != 4 || st.Latency != 0 {
				t.Errorf("%s: %v", le.name, st)
			}
			for i := range 200 {
				p, q := must(t, l, 2), must(t, l, 1)
				time.Sleep(roundTrip)
				p.Release(inflight.Success)
				time.Sleep(time.Hour)
				q.Release(inflight.Ignored)
				if i > 100 && l.Stats().Latency != roundTrip {
					t.Fatalf("%s: %v", le.name, l.Stats())
				}
			}
		})
	}
}

// Of permits that were in flight together, any number that is dropped lowers the limit once.
func TestI7OneBackoffARound(t *testing.T) {
	for _, le := range learners {
		synctest.Test(t, func(t *testing.T) {
			l := inflight.NewAdaptive(1, 1000, le.algorithm())
			l.SetLimit(100)
			for _, want := range []int{90, 81, 72} {
				fill(l, roundTrip, inflight.Dropped)
				if l.Limit() != want {
					t.Errorf("%s: limit %d, want %d", le.name, l.Limit(), want)
				}
			}
			if n := l.Stats().Dropped; n != 271 {
				t.Errorf("%s: %d dropped", le.name, n)
			}
		})
	}
}

// A permit that is dropped after many rounds have gone by still counts.
func TestI7LateDropsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.NewAdaptive(1, 100, inflight.AIMD(0))
		l.SetLimit(50)
		late := must(t, l, 1)
		for range 20 {
			fill(l, roundTrip, inflight.Success)
		}
		before := l.Limit()
		late.Release(inflight.Dropped)
		if want := before * 9 / 10; before <= 50 || l.Limit() > want+1 || l.Limit() < want-1 {
			t.Errorf("%d after %d", l.Limit(), before)
		}
	})
}

// Permits that are never released do not keep the limit from learning.
func TestI7HangingPermitsDoNotStopIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.NewAdaptive(20, 100, inflight.Vegas())
		var hanging []inflight.Permit
		for range 8 {
			hanging = append(hanging, must(t, l, 1))
		}
		for range 100 {
			fill(l, roundTrip, inflight.Success)
		}
		if st := l.Stats(); st.Limit < 50 || st.Latency != roundTrip {
			t.Error(st)
		}
		for i := range hanging {
			hanging[i].Release(inflight.Ignored)
		}
	})
}

// AIMD takes what is longer than its timeout for dropped.
func TestI7TimeoutOfAIMD(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := inflight.NewAdaptive(1, 1000, inflight.AIMD(roundTrip))
		l.SetLimit(100)
		fill(l, roundTrip+1, inflight.Success)
		if st := l.Stats(); st.Limit != 90 || st.Dropped != 0 {
			t.Error(st)
		}
		fill(l, roundTrip, inflight.Success)
		if l.Limit() != 91 {
			t.Errorf("limit %d", l.Limit())
		}
	})
}

// SetLimit is where an adaptive limiter goes on from, within its range.
func TestI7SetLimit(t *testing.T) {
	for _, le := range learners {
		l := inflight.NewAdaptive(10, 50, le.algorithm())
		for limit, want := range map[int]int{20: 20, 5: 10, 99: 50} {
			if l.SetLimit(limit); l.Limit() != want {
				t.Errorf("%s: %d becomes %d", le.name, limit, l.Limit())
			}
		}
	}
}
