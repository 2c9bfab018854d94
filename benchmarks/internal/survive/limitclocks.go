package survive

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// limitClocks are the scenarios of clocks. FR1 applies only to limiters that get the
// time from the caller.
var limitClocks = append(
	[]Scenario{{Fault: "FR1", Peer: "xtime", Run: lateReadings}},
	jumpsBack("tandem", "xtime", "juju", "failsafe")...)

// lateReadings: two callers that have read the clock 10 s apart take turns, as delayed
// goroutines do.
func lateReadings() error {
	l, start, got := rate.NewLimiter(1, 5), time.Now(), 0
	for range 100 {
		for _, at := range []time.Duration{10 * time.Second, 0} {
			if l.AllowN(start.Add(at), 1) {
				got++
			}
		}
	}
	if got > 15 {
		return fmt.Errorf("%d permits in 10 s, at 1/s with a burst of 5", got)
	}
	return nil
}

// jumpsBack: limiters of five permits, and one each second, are made outside of the
// bubble and used inside, where the year is 2000.
func jumpsBack(peers ...string) (all []Scenario) {
	for _, peer := range peers {
		var allow func() bool
		all = append(all, Scenario{
			Fault: "FR11", Peer: peer,
			Before: func() {
				allow = limiters[peer](5, time.Second).allow
				for range 6 { // the whole burst and one more
					allow()
				}
			},
			Run: func() error {
				const seconds = 60
				got, first := 0, 0
				for s := range seconds {
					for range 10 {
						if allow() {
							got++
						}
					}
					if got == 0 {
						first = s + 1
					}
					time.Sleep(time.Second)
				}
				if first > 10 {
					return fmt.Errorf("nothing is granted for %d s and more", first)
				}
				if got > seconds+10 {
					return fmt.Errorf("%d permits in %d s, at 1/s with a burst of 5", got, seconds)
				}
				return nil
			},
		})
	}
	slices.SortFunc(all, func(a, b Scenario) int { return strings.Compare(a.Peer, b.Peer) })
	return all
}
