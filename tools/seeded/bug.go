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
	what  string // a description in one line
	fault string // its id in internal/faults, or ""
	pkg   string // the package whose programs must find it, from the root of the module
	hunks []hunk
}

// A hunk is a change of one file.
type hunk struct {
	file     string // from the root of the module
	old, new string // whole lines
}

// plant returns the texts of the files that the bug changes, by path. Each hunk must
// match in exactly one place, so a bug that no longer fits the code is noticed here.
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
		// Both begin after the end of a line, so they are whole lines.
		have, old := "\n"+string(text), "\n"+h.old
		if n := strings.Count(have, old); n != 1 || h.old == "" || h.old == h.new {
			errs = append(errs, fmt.Errorf("%s: %s has %d places that look like this, or they do not change:\n%s", b.id, h.file, n, h.old))
			continue
		}
		texts[path] = []byte(strings.Replace(have, old, "\n"+h.new, 1)[1:])
	}
	return texts, errors.Join(errs...)
}

// readBugs reads a file of bugs. Each bug begins with a line "bug ID: description".
// Then come "fault ID", if it is one of internal/faults, and "programs DIR", the
// package whose programs must find it, and for each file "file PATH" and its hunks, as
// in a diff without numbers: lines begin with a blank, '-' or '+', and "@@" separates
// two hunks. Other lines are empty or begin with '#'.
func readBugs(path string) (bugs []*bug, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b, h, file := (*bug)(nil), (*hunk)(nil), ""
	for i, line := range strings.Split(string(text), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		id, what, ok := strings.Cut(rest, ": ")
		switch {
		case line == "" || line[0] == '#':
		case word == "bug" && ok:
			b, file = &bug{id: id, what: what}, ""
			bugs = append(bugs, b)
		case b == nil:
			return nil, fmt.Errorf("%s:%d: %q belongs to no bug", path, i+1, line)
		case word == "fault":
			b.fault = rest
		case word == "programs":
			b.pkg = rest
		case word == "file":
			file, h = rest, nil
		case line == "@@":
			h = nil
		case file == "" || !strings.ContainsRune(" +-", rune(line[0])):
			return nil, fmt.Errorf("%s:%d: what is %q?", path, i+1, line)
		default:
			if h == nil {
				b.hunks = append(b.hunks, hunk{file: file})
				h = &b.hunks[len(b.hunks)-1]
			}
			if line[0] != '+' {
				h.old += line[1:] + "\n"
			}
			if line[0] != '-' {
				h.new += line[1:] + "\n"
			}
		}
	}
	return bugs, nil
}
