package survive

import (
	"fmt"
	"strings"
)

// classify says what became of a process by what it has printed. An empty outcome
// says that the trial itself is at fault.
func classify(out string, err error, late bool) (Outcome, string) {
	if _, said, ok := strings.Cut(out, mark); ok && err == nil {
		said, _, _ = strings.Cut(said, "\n")
		outcome, detail, _ := strings.Cut(said, ": ")
		return Outcome(strings.TrimSpace(outcome)), strings.TrimSpace(detail)
	}
	if late {
		return Hangs, fmt.Sprintf("it did not end within %v", Patience)
	}
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch fatal := strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: "); {
		case !fatal:
		case strings.Contains(line, "all goroutines are asleep"):
			return Hangs, "" // the run time was faster than the look at locks
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
