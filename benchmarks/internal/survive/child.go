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

// never is the time limit of a trial on the clock of its bubble, which stands still
// while any goroutine can run. A trial that has not ended by then waits for an event
// that will not come.
const never = 24 * time.Hour

// idle is how long goroutines may go on, on that clock, before the remaining ones count
// as leaked: workers and timers may end on their own.
const idle = time.Hour

// Child runs the scenario named in the environment and ends the process. Without one it
// returns. A program that calls Run must call Child first.
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

// try runs s, reports the outcome, and ends the process.
func try(s Scenario) {
	if s.Before != nil {
		s.Before()
	}
	if s.Real {
		end(s.Run())
	}
	go watchLocks()
	// Only package testing can make a bubble. The bubble ends with all goroutines that
	// were started in it, or crashes with a message that classify recognizes.
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

// end ends the process with the outcome of a trial that has run to its end.
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

// refuses reports whether call panics or returns an error: a library that rejects an
// impossible call at once has survived.
func refuses(call func() error) (refused bool) {
	defer func() {
		if recover() != nil {
			refused = true
		}
	}()
	return call() != nil
}

// settle waits until all goroutines are idle.
func settle() { time.Sleep(time.Minute) }
