package testkit

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
)

// A goroutine that can be woken is not reported as blocked for ever.
func TestWhoeverCanBeWokenIsNoLeak(t *testing.T) {
	give, end := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(end)
		park(give)
	}()
	awaitParked()
	if text := blockedForEver(); text != "" {
		t.Errorf("it can be woken:\n%s", text)
	}
	close(give)
	<-end
}

// A test program that leaves a goroutine behind fails and prints its stack.
func TestALeakFails(t *testing.T) {
	const name = "TESTKIT_LEAKS"
	if os.Getenv(name) != "" {
		go park(make(chan struct{})) // in the program that this test starts
		awaitParked()
		return
	}
	if runtime.GOOS == "js" {
		t.Skip("no program can be started here")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestALeakFails$")
	cmd.Env = append(os.Environ(), name+"=1")
	out, err := cmd.CombinedOutput()
	want := []string{"testkit.park"}
	if pprof.Lookup("goroutineleak") != nil {
		want = append(want, "goroutines that nothing can wake")
	}
	for _, text := range want {
		if err == nil || !strings.Contains(string(out), text) {
			t.Errorf("status %v, want text %q in:\n%s", err, text, out)
		}
	}
}

// awaitParked returns once a goroutine waits in park.
func awaitParked() {
	for !parked.Match(othersStacks()) {
		runtime.Gosched()
	}
}

var parked = regexp.MustCompile(`\[chan receive\]:\n\S*testkit\.park`)
