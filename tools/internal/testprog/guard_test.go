package testprog

import (
	"os/exec"
	"runtime"
	"testing"
)

// A program that waits for an input that does not come is killed as a hang. One that
// waits for a shorter time is not.
func TestSleepersAreKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	for command, want := range map[string]string{
		"read x":        "a hang",
		"sleep 3; true": "",
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("sh", "-c", command)
			if _, err := cmd.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Skip(err)
			}
			why := guard(cmd)
			if err := cmd.Wait(); (err != nil) != (want != "") || why() != want {
				t.Errorf("it ended with %v, want %q", err, want)
			}
		})
	}
}
