package survive

import (
	"regexp"
	"runtime"
	"strings"
	"time"
)

// watchLocks looks at all goroutines of the bubble, from outside, now and then. A
// bubble takes one that waits for a lock for busy, so that its clock stands still.
// But if all others wait as well, nobody is left who could unlock: it ends the
// process.
func watchLocks() {
	for {
		time.Sleep(200 * time.Millisecond)
		buf := make([]byte, 1<<20)
		if deadlocked(string(buf[:runtime.Stack(buf, true)])) {
			say(Hangs, "")
		}
	}
}

// bubbled is the first line of a goroutine in a bubble.
var bubbled = regexp.MustCompile(`(?m)^goroutine \d+.* \[([^\]]*), synctest bubble \d+\]:$`)

// deadlocked reports whether all goroutines of a bubble wait, and one of them for
// a lock, by a dump of all stacks, which are those of one instant.
func deadlocked(stacks string) bool {
	locks := 0
	for _, m := range bubbled.FindAllStringSubmatch(stacks, -1) {
		state, _, _ := strings.Cut(m[1], ", ") // and for how long
		switch {
		case strings.HasPrefix(state, "sync.Mutex."), strings.HasPrefix(state, "sync.RWMutex."):
			locks++
		case !strings.HasSuffix(state, "(durable)"):
			return false
		}
	}
	return locks > 0
}
