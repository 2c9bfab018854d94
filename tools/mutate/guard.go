package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// enough is how much memory a test program may hold, in bytes.
const enough = 2 << 30

// guard kills the program if it holds more than enough, where the system tells.
// The function it returns is to be called after Wait; it ends the watch and
// reports whether that was so.
func guard(cmd *exec.Cmd) (grown func() bool) {
	stop := make(chan struct{})
	var killed bool
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if resident(cmd.Process.Pid) > enough {
				killed = true
				_ = cmd.Process.Kill() // it may have ended by itself
				return
			}
		}
	})
	return func() bool {
		close(stop)
		wg.Wait()
		return killed
	}
}

// resident returns how much memory a process holds, 0 if that is not known.
func resident(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}
