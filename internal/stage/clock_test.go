package stage_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemgo/tandem/internal/stage"
)

// A clock adds up the time of all who are at it, those who still are included.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c stage.Clock
		for n := range 3 {
			c.Turn(1)
			time.Sleep(time.Second)
			if got, want := c.Total(), time.Duration((n+1)*(n+2)/2)*time.Second; got != want {
				t.Errorf("%v, want %v", got, want)
			}
		}
		c.Turn(-3)
		time.Sleep(time.Hour)
		if c.Total() != 6*time.Second || c.Most() != 3 || c.Most() != 3 {
			t.Errorf("%v, and %d at most", c.Total(), c.Most())
		}
	})
}

// It may be used, and read, by many at once.
func TestClockOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, turns = 4, 500
		var c stage.Clock
		var wg sync.WaitGroup
		for range many {
			wg.Go(func() {
				for range turns {
					c.Turn(1)
					c.Turn(-1)
					if c.Total() != 0 || c.Most() > many { // no time passes
						t.Error("it has counted what was not there")
					}
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Second)
		if d := c.Total(); d != 0 {
			t.Errorf("nobody is at it, and still %v", d)
		}
	})
}
