package testprog

import (
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// starts runs a shell command that waits for its input until the test is over.
func starts(t *testing.T, command string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", command)
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // the test may have done so
	})
	return cmd
}

// A program in which nobody does anything is killed as one that hangs, before its
// time is up.
func TestSleepersAreKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not tell")
	}
	cmd := starts(t, "read x")
	why := guard(cmd)
	if err := cmd.Wait(); err == nil || why() != "a hang" {
		t.Errorf("it ended with %v", err)
	}
}

// Who waits for another program is not one of them.
func TestParentsLive(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not tell")
	}
	cmd := starts(t, "cat; true")
	for !parent(cmd.Process.Pid) {
		time.Sleep(time.Millisecond) // it takes as long as it takes
	}
	for range 100 {
		if asleep(cmd.Process.Pid) {
			t.Fatal("it counts as asleep")
		}
	}
}
