package survive

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const (
	env  = "TANDEM_SURVIVE"
	mark = "outcome: "
)

// never is how long a trial may take on the clock of its bubble, which stands
// still while any goroutine has something to do. Who has not ended by then waits
// for what will not come.
const never = 24 * time.Hour

// idle is how long goroutines are left alone, on that clock, before those that are
// still there count as left behind: workers and timers may end on their own.
const idle = time.Hour

// Child runs the scenario that the environment asks for and ends the process. It
// does nothing if there is none. A program that calls Run calls it first.
func Child(scenarios []Scenario) {
	name := os.Getenv(env)
	if name == "" {
		return
	}
	for _, s := range scenarios {
		if s.Name() == name {
			try(s)
		}
	}
	fmt.Fprintf(os.Stderr, "there is no scenario %s\n", name)
	os.Exit(2)
}

// try runs s, says how it ended, and ends the process.
func try(s Scenario) {
	if s.Before != nil {
		s.Before()
	}
	if s.Real {
		end(s.Run())
	}
	go watchLocks()
	// A bubble is to be had of package testing alone. It ends with all goroutines
	// that were started in it, or crashes with the words that classify looks for.
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: "trial",
		F: func(t *testing.T) {
			synctest.Test(t, func(*testing.T) { inBubble(s) })
			end(nil)
		},
	}}, nil, nil)
}

func inBubble(s Scenario) {
	ended := make(chan error, 1)
	go func() { ended <- s.Run() }()
	select {
	case err := <-ended:
		if err != nil {
			end(err)
		}
	case <-time.After(never):
		say(Hangs, "")
	}
	time.Sleep(idle)
}

// end ends the process with the outcome of a trial that has come to its end.
func end(err error) {
	if err != nil {
		say(Wrong, err.Error())
	}
	say(Survives, "")
}

func say(o Outcome, detail string) {
	fmt.Printf("\n%s%s: %s\n", mark, o, oneLine(detail))
	os.Exit(0)
}

func oneLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120]) + "…"
	}
	return s
}

// refuses reports whether call panics or returns an error: who refuses at once
// what can't be has survived.
func refuses(call func() error) (refused bool) {
	defer func() {
		if recover() != nil {
			refused = true
		}
	}()
	return call() != nil
}

// settle waits until nothing moves any more.
func settle() { time.Sleep(time.Minute) }
