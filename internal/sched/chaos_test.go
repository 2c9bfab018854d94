//go:build points

package sched

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// yields returns how many times each of the given number of operations yields, with a
// seed.
func yields(t *testing.T, seed uint64, calls int) (times []int) {
	t.Helper()
	n, before := 0, chaos
	defer func() { chaos = before }()
	var x Uint64
	chaos = &randomYield{yield: func() { n++ }, state: seed}
	for range calls {
		n = 0
		x.Load()
		times = append(times, n)
	}
	return times
}

// The seed determines which operations yield.
func TestChaosGivesWay(t *testing.T) {
	const calls = 1000
	kinds := map[int]int{}
	a, b, other := yields(t, 7, calls), yields(t, 7, calls), yields(t, 8, calls)
	same := true
	for i, n := range a {
		kinds[n]++
		if n != b[i] {
			t.Errorf("call %d gave way %d times, and then %d times", i, n, b[i])
		}
		same = same && n == other[i]
	}
	if same {
		t.Error("another seed makes no difference")
	}
	for n, least := range map[int]int{0: calls / 2, 1: calls / 8, long: 5} {
		if kinds[n] < least {
			t.Errorf("%d calls gave way %d times, want %d", kinds[n], n, least)
		}
	}
}

// With a hook attached, operations do not yield by themselves.
func TestChaosYieldsToAHook(t *testing.T) {
	hooked := 0
	defer Attach(counter{&hooked})()
	for _, n := range yields(t, 7, 100) {
		if n > 0 {
			t.Error("an operation gave way")
		}
	}
	if hooked != 100 {
		t.Errorf("the hook was called %d times", hooked)
	}
}

type counter struct{ n *int }

func (c counter) Await(*Op)       { *c.n++ }
func (c counter) Accessed(Access) {}

// The seed comes from the environment and is printed. The value random means a new seed
// each time.
func TestChaosPrintsItsSeed(t *testing.T) {
	seeds := map[string]bool{}
	for _, value := range []string{"12", "random", "random"} {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "TANDEM_CHAOS="+value)
		out, err := cmd.CombinedOutput()
		line, _, _ := strings.Cut(string(out), "\n")
		seed, ok := strings.CutPrefix(line, "TANDEM_CHAOS=")
		if err != nil || !ok || value == "12" && seed != "12" {
			t.Errorf("TANDEM_CHAOS=%s: %v, it printed %q", value, err, out)
		}
		seeds[seed] = true
	}
	if len(seeds) != 3 {
		t.Errorf("seeds: %v", seeds)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "TANDEM_CHAOS=yes")
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), `TANDEM_CHAOS="yes"`) {
		t.Errorf("%v: %s", err, out)
	}
}
