package survive

import (
	"regexp"
	"runtime"
	"strings"
	"time"
)

// watchLocks checks all goroutines of the bubble from outside, at intervals. In a
// bubble a goroutine that waits for a lock counts as busy, so the clock stands still.
// But if all other goroutines wait as well, none can unlock, and watchLocks ends the
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

// deadlocked reports whether all goroutines of a bubble wait, and at least one of them
// for a lock. stacks is a dump of all stacks at one instant.
func deadlocked(stacks string) bool {
	locks := 0
	for _, m := range bubbled.FindAllStringSubmatch(stacks, -1) {
		state, _, _ := strings.Cut(m[1], ", ") // without the duration of the wait
		switch {
		case strings.HasPrefix(state, "sync.Mutex."), strings.HasPrefix(state, "sync.RWMutex."):
			locks++
		case !strings.HasSuffix(state, "(durable)"):
			return false
		}
	}
	return locks > 0
}
