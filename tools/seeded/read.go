package main

import (
	"fmt"
	"os"
	"strings"
)

// readBugs reads a file of bugs. Each begins with a line "bug ID: what goes wrong",
// then come "fault ID", if it is one of internal/faults, and "programs DIR", whose
// programs are to find it, and for each file "file PATH" and its hunks, as in a
// diff without numbers: lines begin with a blank, '-' or '+', and "@@" is between
// two hunks. Other lines are empty or begin with '#'.
func readBugs(path string) (bugs []*bug, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := parser{}
	for i, line := range strings.Split(string(text), "\n") {
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	for _, b := range p.bugs {
		switch {
		case b.pkg == "":
			return nil, fmt.Errorf("%s: %s: no programs", path, b.id)
		case len(b.hunks) == 0:
			return nil, fmt.Errorf("%s: %s: no change", path, b.id)
		}
		for _, h := range b.hunks {
			if h.old == "" || h.old == h.new {
				return nil, fmt.Errorf("%s: %s: a hunk of %s changes nothing", path, b.id, h.file)
			}
		}
	}
	return p.bugs, nil
}

// A parser is in the middle of a file of bugs.
type parser struct {
	bugs []*bug
	file string // of the hunks that come
	open bool   // the last hunk may have more lines
}

func (p *parser) line(line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	word, rest, _ := strings.Cut(line, " ")
	if word == "bug" {
		id, what, ok := strings.Cut(rest, ": ")
		if !ok {
			return fmt.Errorf("want bug ID: WHAT, got %q", line)
		}
		p.bugs = append(p.bugs, &bug{id: id, what: what})
		p.file = ""
		return nil
	}
	if len(p.bugs) == 0 {
		return fmt.Errorf("%q belongs to no bug", line)
	}
	b := p.bugs[len(p.bugs)-1]
	switch {
	case word == "fault":
		b.fault = rest
	case word == "programs":
		b.pkg = rest
	case word == "file":
		p.file, p.open = rest, false
	case line == "@@":
		p.open = false
	case p.file == "" || !strings.ContainsRune(" +-", rune(line[0])):
		return fmt.Errorf("what is %q?", line)
	default:
		if !p.open {
			b.hunks = append(b.hunks, hunk{file: p.file})
			p.open = true
		}
		h := &b.hunks[len(b.hunks)-1]
		if line[0] != '+' {
			h.old += line[1:] + "\n"
		}
		if line[0] != '-' {
			h.new += line[1:] + "\n"
		}
	}
	return nil
}
