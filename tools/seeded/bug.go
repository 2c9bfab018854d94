package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A bug is a fault that the library could have, as a patch.
type bug struct {
	id    string
	what  string // goes wrong, in a line
	fault string // its id in internal/faults, or ""
	pkg   string // whose programs are to find it, from the root of the module
	hunks []hunk
}

// A hunk is a change of one file.
type hunk struct {
	file     string // from the root of the module
	old, new string // whole lines
}

// plant returns the texts of the files that the bug changes, by path. Each hunk
// must fit in exactly one place: a bug that the code has moved away from is
// noticed here.
func (b *bug) plant(root string) (map[string][]byte, error) {
	texts := map[string][]byte{}
	var errs []error
	for _, h := range b.hunks {
		path := filepath.Join(root, filepath.FromSlash(h.file))
		text, ok := texts[path]
		if !ok {
			var err error
			if text, err = os.ReadFile(path); err != nil {
				return nil, err
			}
		}
		// Both begin behind the end of a line, so that they are whole lines.
		have, old := "\n"+string(text), "\n"+h.old
		if n := strings.Count(have, old); n != 1 {
			errs = append(errs, fmt.Errorf("%s: %s has %d places that look like this:\n%s", b.id, h.file, n, h.old))
			continue
		}
		texts[path] = []byte(strings.Replace(have, old, "\n"+h.new, 1)[1:])
	}
	return texts, errors.Join(errs...)
}
