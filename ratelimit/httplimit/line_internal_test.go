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
		for i := range 2 * maxPaused {
			k := strconv.Itoa(i)
			ls.pause(k, time.Hour)
			if ls.of[k] == nil || len(ls.of) > maxPaused {
				t.Fatalf("%d lines after %d pauses", len(ls.of), i+1)
			}
		}
		time.Sleep(2 * time.Hour)
		for i := range 2 * maxPaused { // as many as have been kept are enough
			ls.pause(strconv.Itoa(i%10), time.Second)
		}
		if len(ls.of) != 10 {
			t.Errorf("%d lines, of which 10 have a pause", len(ls.of))
		}
	})
}
