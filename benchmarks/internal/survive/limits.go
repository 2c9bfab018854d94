package survive

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// century is longer than most arithmetic on durations can stand three times.
const century = 100 * 365 * 24 * time.Hour

// limits are what is asked about how many permits there are.
var limits = slices.Concat(
	inReal(each("FR3", allows, doubleBurst, documented{
		"failsafe":   "ratelimiter.NewBurstyBuilder",
		"go-limiter": "memorystore.Config, Tokens and Interval",
	}), "go-limiter"),
	each("FR4", lessThanOne, lessGivesBack, nil),
	inReal(each("FR6", middlewares, retryAtOnce, nil), tandem, "go-limiter"),
	inReal(each("FR7", rateZero, unlimited, documented{"go-limiter": "memorystore.Config, Tokens"}), "go-limiter"),
	each("FR8", tinyRates, overflows, nil),
	each("FR9", failing, failureSpends, nil),
)

// doubleBurst spends a burst just before and just after what may be the end of a
// period: 10 at once and one each 40 ms is what is allowed.
func doubleBurst(open newAllow) error {
	const burst, every = 10, 40 * time.Millisecond
	for range 10 {
		allow, end := open(burst, every)
		allow() // the first period begins with this one, at the latest
		start := time.Now()
		time.Sleep(burst*every - 10*time.Millisecond)
		got, first := 0, time.Now()
		for time.Since(start) < burst*every+10*time.Millisecond {
			if allow() {
				got++
			}
			time.Sleep(time.Millisecond / 2)
		}
		took := time.Since(first) // more than the permits took
		end()
		if most := burst + int(took/every) + 1; got > most {
			return fmt.Errorf("%d permits within %v, where %d at most are due", got, took.Round(time.Millisecond), most)
		}
	}
	return nil
}

// lessGivesBack asks for less than one permit each time that one is denied.
func lessGivesBack(open func() (less func(), allow func() bool)) error {
	less, allow := open()
	got := 0
	for range 20 {
		if allow() {
			got++
		} else {
			refuses(func() error { less(); return nil })
		}
	}
	if got > 5 {
		return fmt.Errorf("%d permits of a burst of 5", got)
	}
	return nil
}

// retryAtOnce asks middleware of one request each 400 ms when to come back. A date
// is as good as a number of seconds, if it is not over already.
func retryAtOnce(open func() (get func() *http.Response, end func())) error {
	get, end := open()
	defer end()
	for range 12 { // at other fractions of a second
		time.Sleep(100 * time.Millisecond)
		before := time.Now()
		r := get()
		for r.StatusCode == http.StatusOK {
			before = time.Now()
			r = get()
		}
		after := r.Header.Get("Retry-After")
		if s, err := strconv.Atoi(after); err == nil {
			if s < 1 {
				return fmt.Errorf("Retry-After: %d", s)
			}
			continue
		}
		at, err := http.ParseTime(after)
		if err != nil { // it says UTC and not GMT
			at, err = time.Parse(time.RFC1123, after)
		}
		if err != nil {
			return fmt.Errorf("Retry-After: %q", after)
		}
		if !at.After(before) {
			return errors.New("the date of Retry-After is over as it is sent")
		}
	}
	return nil
}

// unlimited asks a limiter of rate 0, and a burst of one, many times.
func unlimited(open func() (allow func() bool, end func())) error {
	var allow func() bool
	var end func()
	if refuses(func() error { allow, end = open(); return nil }) {
		return nil
	}
	defer end()
	got := 0
	if refuses(func() error {
		for range 1000 {
			if allow() {
				got++
			}
		}
		return nil
	}) {
		return nil
	}
	if got > 10 {
		return fmt.Errorf("%d of 1000 are granted", got)
	}
	return nil
}

// overflows takes the next few permits of one each hundred years.
func overflows(open func() (reserve func() time.Duration)) error {
	reserve := open()
	reserve()
	for i := range 5 {
		if d := reserve(); d < century/2 {
			return fmt.Errorf("at 1 in 100 years, permit %d can be had in %v", i+2, d.Round(time.Hour))
		}
	}
	return nil
}

// failureSpends asks for too much before each permit.
func failureSpends(open func() (tooMuch, allow func() bool)) error {
	tooMuch, allow := open()
	got := 0
	for range 20 {
		if tooMuch() {
			return errors.New("six permits of a burst of five are promised at once")
		}
		if allow() {
			got++
		}
	}
	if got != 5 {
		return fmt.Errorf("%d permits of a burst of 5", got)
	}
	return nil
}
