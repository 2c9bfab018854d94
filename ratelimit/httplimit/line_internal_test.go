package httplimit

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// Pauses of many hosts take bounded memory, and are forgotten when they are over.
func TestPausesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ls := lines[string]{of: map[string]*line{}}
		for i := range 3 * maxPaused {
			k := strconv.Itoa(i)
			ls.pause(k, time.Hour)
			if ls.of[k] == nil || len(ls.of) > maxPaused {
				t.Fatalf("%d lines after %d pauses", len(ls.of), i+1)
			}
		}
		time.Sleep(2 * time.Hour)
		for i := range 3 * maxPaused {
			ls.pause(strconv.Itoa(i), time.Second)
			time.Sleep(time.Second)
		}
		if len(ls.of) > 200 {
			t.Errorf("%d lines of which one has a pause", len(ls.of))
		}
	})
}
