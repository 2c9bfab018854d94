package testkit

import (
	"bytes"
	"regexp"
	"runtime"
	"testing"
	"time"
)

// Watchdog calls fn on its own goroutine and waits for it to end, by a return or a
// Goexit. If no goroutine can run and all stacks stay the same for 30 s, the test fails
// and every stack is printed. So a slow test on a busy machine does not fail; the time
// limit of go test ends one that is busy for ever. Watchdog is for real time: in a
// synctest bubble a hang is a deadlock, which the bubble reports.
func Watchdog(t testing.TB, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	if stacks := watch(done, time.Second, 30); stacks != "" {
		t.Fatalf("it hangs: nothing has moved for 30 s\n%s", stacks)
	}
}

// watch waits for done and returns "", or returns all stacks once they have been the
// same the given number of times in a row, with no goroutine that could run. It uses
// real time.
func watch(done <-chan struct{}, every time.Duration, times int) (stacks string) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	var last []byte
	for same := 0; same < times; same++ {
		select {
		case <-done:
		case <-ticks.C:
		}
		select {
		case <-done: // done has priority if both are ready
			return ""
		default:
		}
		dump := othersStacks()
		if place := age.ReplaceAll(dump, nil); canRun.Match(place) || !bytes.Equal(place, last) {
			last, same = place, 0
		}
		stacks = string(dump)
	}
	return stacks
}

var (
	canRun = regexp.MustCompile(`(?m)^goroutine \d+ \[(running|runnable)`)
	age    = regexp.MustCompile(`(?m), \d+ minutes`)
)

// othersStacks returns the stacks of all goroutines but the caller's.
func othersStacks() []byte {
	for size := 1 << 16; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			_, others, _ := bytes.Cut(buf[:n], []byte("\n\n"))
			return others
		}
	}
}
