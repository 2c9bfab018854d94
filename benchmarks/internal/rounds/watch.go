package rounds

import "bytes"

// A Watcher is told how far the rounds are.
type Watcher interface {
	Round(n int)         // begins
	Running(name string) // is measured now
	Done()               // with one more benchmark
}

// A lineWatcher finds out from the output of a round how far it is. Package
// testing writes a benchmark's name and a tab before it measures, and the
// figures to the same line afterwards.
type lineWatcher struct {
	watch Watcher
	line  []byte // as far as it has come
	named bool   // its name was told
	n     int    // how many are done
}

func (w *lineWatcher) Write(p []byte) (int, error) {
	for _, b := range p {
		if b != '\n' {
			w.line = append(w.line, b)
			if b == '\t' && !w.named && bytes.HasPrefix(w.line, []byte("Benchmark")) {
				w.named = true
				w.watch.Running(string(bytes.TrimSpace(w.line)))
			}
			continue
		}
		if w.named {
			w.n++
			w.watch.Done()
		}
		w.line, w.named = w.line[:0], false
	}
	return len(p), nil
}
