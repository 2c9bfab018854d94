package benchmarks

import (
	"syscall"
	"testing"
	"time"
)

// cpu returns the processor time that the program has used.
func cpu(b *testing.B) time.Duration {
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		b.Fatal(err)
	}
	var created, exited, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(self, &created, &exited, &kernel, &user); err != nil {
		b.Fatal(err)
	}
	return 100 * (ticks(kernel) + ticks(user))
}

// ticks returns f in units of 100 ns. Filetime.Nanoseconds is for points in time since
// 1970.
func ticks(f syscall.Filetime) time.Duration {
	return time.Duration(f.HighDateTime)<<32 | time.Duration(f.LowDateTime)
}
