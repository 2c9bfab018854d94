package survive

import (
	"fmt"
	"strings"
)

// classify returns the outcome of a process from its output. An empty outcome means
// that the trial itself failed.
func classify(out string, err error, late bool) (Outcome, string) {
	if _, said, ok := strings.Cut(out, mark); ok && err == nil {
		said, _, _ = strings.Cut(said, "\n")
		outcome, detail, _ := strings.Cut(said, ": ")
		return Outcome(strings.TrimSpace(outcome)), strings.TrimSpace(detail)
	}
	if late {
		return Hangs, fmt.Sprintf("it did not end within %v", timeLimit)
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch fatal := strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: "); {
		case !fatal:
		case strings.Contains(line, "all goroutines are asleep"):
			return Hangs, "" // the runtime detected it before watchLocks
		case strings.Contains(line, "blocked goroutines remain"):
			return Leaks, ""
		case strings.Contains(line, "synctest"), strings.Contains(line, "bubble"):
			return "", line
		default:
			line, _, _ = strings.Cut(line, " [recovered")
			return Crashes, oneLine(line)
		}
	}
	return "", fmt.Sprintf("it ended without a word, %v:\n%s", err, out)
}
