package testprog

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// enough is how much memory a test program may hold, in bytes.
	enough = 2 << 30
	// lull is how long all threads of a test program may sleep. One that waits for
	// a processor does not sleep, so this is a hang also where much else goes on.
	lull = 5 * time.Second
	// glance is how often the program is looked at.
	glance = 100 * time.Millisecond
)

// guard kills the program if it holds more than enough, or if nobody in it has
// done anything for a lull, where the system tells. The function it returns is to
// be called after Wait; it ends the watch and returns why it was killed, "" if it
// was not.
func guard(cmd *exec.Cmd) (why func() string) {
	stop := make(chan struct{})
	var killed string
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(glance)
		defer tick.Stop()
		for idle := time.Duration(0); killed == ""; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if idle += glance; !asleep(cmd.Process.Pid) {
				idle = 0
			}
			switch {
			case resident(cmd.Process.Pid) > enough:
				killed = "too much memory"
			case idle >= lull:
				killed = "a hang"
			}
		}
		_ = cmd.Process.Kill() // it may have ended by itself
	})
	return func() string {
		close(stop)
		wg.Wait()
		return killed
	}
}

// asleep reports whether all threads of a process sleep, and not because they
// wait for another process that it has started; false if that is not known.
func asleep(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		if state, _ := stat(path); state != "S" {
			return false
		}
	}
	return len(threads) > 0 && !parent(pid)
}

// parent reports whether a process has started another one that has not ended.
func parent(pid int) bool {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	return slices.ContainsFunc(all, func(path string) bool {
		_, by := stat(path)
		return by == strconv.Itoa(pid)
	})
}

// stat returns the state of a process, or thread, and who has started it.
func stat(path string) (state, by string) {
	text, _ := os.ReadFile(path)
	// The name of the program, in parentheses, may be anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return "", ""
	}
	return string(fields[0]), string(fields[1])
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
