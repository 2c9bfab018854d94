package testkit

import (
	"bytes"
	"fmt"
	"os"
	"runtime/pprof"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package and fails if a goroutine outlives them, or if the
// runtime reports one that is blocked for ever. Go 1.27 can report that, and Go 1.26
// with GOEXPERIMENT=goroutineleakprofile.
func Main(m *testing.M) { goleak.VerifyTestMain(leakless{m}, ofTheRunTime...) }

// A leakless runs tests and fails if they leave a goroutine that no other one can wake.
type leakless struct{ *testing.M }

func (l leakless) Run() int {
	code := l.M.Run()
	if text := blockedForEver(); text != "" && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines that nothing can wake:\n%s", text)
		code = 1
	}
	return code
}

// blockedForEver returns the stacks of goroutines that wait on objects no other
// goroutine can reach, or "" if there are none or the runtime does not report them.
func blockedForEver() string {
	p := pprof.Lookup("goroutineleak")
	if p == nil {
		return ""
	}
	var text bytes.Buffer
	if err := p.WriteTo(&text, 1); err != nil {
		return err.Error()
	}
	if p.Count() == 0 {
		return ""
	}
	return text.String()
}
