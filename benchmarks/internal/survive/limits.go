package survive

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// century is a duration of which three times overflow most arithmetic.
const century = 100 * 365 * 24 * time.Hour

// limits are the scenarios of the number of permits.
var limits = slices.Concat(
	with(each("FR3", limiters, doubleBurst, documented{
		"failsafe":   "ratelimiter.NewBurstyBuilder",
		"go-limiter": "memorystore.Config, Tokens and Interval",
	}), real, "go-limiter"),
	each("FR4", only(limiters, tandem, "xtime", "juju"), lessGivesBack, nil),
	with(each("FR6", middlewares, retryAtOnce, nil), real, tandem, "go-limiter"),
	with(each("FR7", rateZero, unlimited, documented{"go-limiter": "memorystore.Config, Tokens"}), real, "go-limiter"),
	each("FR8", only(limiters, tandem, "xtime", "juju", "failsafe"), overflows, nil),
	each("FR9", only(limiters, tandem, "xtime", "juju", "failsafe"), failureSpends, nil),
)

// doubleBurst spends a burst just before and just after a possible end of a period: 10
// at once and one every 40 ms are allowed.
func doubleBurst(open newLimiter) error {
	const burst, every = 10, 40 * time.Millisecond
	for range 10 {
		l := open(burst, every)
		l.allow() // the first period begins here at the latest
		start := time.Now()
		time.Sleep(burst*every - 10*time.Millisecond)
		got, first := 0, time.Now()
		for time.Since(start) < burst*every+10*time.Millisecond {
			if l.allow() {
				got++
			}
			time.Sleep(time.Millisecond / 2)
		}
		took := time.Since(first) // an upper bound of the elapsed time
		l.end()
		if most := burst + int(took/every) + 1; got > most {
			return fmt.Errorf("%d permits within %v, where %d at most are due", got, took.Round(time.Millisecond), most)
		}
	}
	return nil
}

// lessGivesBack asks for less than one permit after each denial.
func lessGivesBack(open newLimiter) error {
	l := open(5, time.Hour)
	got := 0
	for range 20 {
		if l.allow() {
			got++
		} else {
			refuses(func() error { l.allowN(-5); return nil })
		}
	}
	if got > 5 {
		return fmt.Errorf("%d permits of a burst of 5", got)
	}
	return nil
}

// retryAtOnce reads the time to retry from middleware of one request every 400 ms. A
// date in the future is as good as a number of seconds.
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
		if err != nil { // it has UTC instead of GMT
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

// unlimited asks a limiter of rate 0 and a burst of one many times.
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

// overflows takes the next permits of one each hundred years.
func overflows(open newLimiter) error {
	var l limiter
	if refuses(func() error { l = open(1, century); return nil }) {
		return nil // the rate is out of range
	}
	l.reserve()
	for i := range 5 {
		if d := l.reserve(); d < century/2 {
			return fmt.Errorf("at 1 in 100 years, permit %d can be had in %v", i+2, d.Round(time.Hour))
		}
	}
	return nil
}

// failureSpends asks for too many permits before each permit.
func failureSpends(open newLimiter) error {
	l := open(5, time.Hour)
	got := 0
	for range 20 {
		if l.promises(6) {
			return errors.New("six permits of a burst of five are promised at once")
		}
		if l.allow() {
			got++
		}
	}
	if got != 5 {
		return fmt.Errorf("%d permits of a burst of 5", got)
	}
	return nil
}
