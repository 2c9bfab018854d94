package testprog

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

const (
	// memoryLimit is how much memory a test program may hold, in bytes.
	memoryLimit = 2 << 30
	// idleLimit is how long a test program may use no processor time. A program that waits for a
	// processor gets one from time to time, so load on the machine does not count. It is
	// longer than a test waits for a program that it has started.
	idleLimit = 10 * time.Second
	// checkInterval is the interval of the checks.
	checkInterval = 100 * time.Millisecond
)

// guard kills the program if it holds more memory than memoryLimit, or if it has used no
// processor time for as long as idleLimit, on systems that have /proc. Call the returned function after
// Wait: it stops the checks and returns the reason why the program was killed, or "" if it
// was not.
func guard(cmd *exec.Cmd) (why func() string) {
	stop := make(chan struct{})
	var killed string
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(checkInterval)
		defer tick.Stop()
		pid := strconv.Itoa(cmd.Process.Pid)
		last := 0
		for idle := time.Duration(0); killed == ""; {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			ticks, pages := stat(pid)
			if idle += checkInterval; ticks != last || pages == 0 {
				idle = 0
			}
			last = ticks
			switch {
			case pages*os.Getpagesize() > memoryLimit:
				killed = "too much memory"
			case idle >= idleLimit:
				killed = "a hang"
			}
		}
		_ = cmd.Process.Kill() // fails if the program has ended by itself
	})
	return func() string {
		close(stop)
		wg.Wait()
		return killed
	}
}

// stat returns the processor time and the memory of a process on systems that have /proc,
// and 0 otherwise.
func stat(pid string) (ticks, pages int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%s/stat", pid))
	// The name of the program, in parentheses, may be anything.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 22 {
		return 0, 0
	}
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	pages, _ = strconv.Atoi(string(fields[21]))
	return user + system, pages
}
