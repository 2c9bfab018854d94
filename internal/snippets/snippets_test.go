package snippets_test

import (
	"bytes"
	"go/format"
	"strings"
	"testing"
)

// notCompiled marks a block of Go that can't be compiled, for a reason that the page
// gives. It is a part of a .go.txt file all the same.
const notCompiled = "not compiled"

// Every block of Go on a page for users is a part, word for word, of a file that is
// compiled.
func TestEveryBlockOfGoIsCompiled(t *testing.T) {
	compiled, others := sources(t, true), sources(t, false)
	count := map[string]int{}
	for page, text := range pages(t) {
		for _, b := range blocks(page, text) {
			language, note, _ := strings.Cut(b.info, " ")
			from := compiled
			switch {
			case language == "diff" || language == "mermaid":
				continue
			case language != "go":
				t.Errorf("%s:%d: a block of %q: fence go, diff and mermaid, and indent commands", b.page, b.line, b.info)
				continue
			case note == notCompiled:
				from = others
			case note != "":
				t.Errorf("%s:%d: the block is marked %q, which nobody knows", b.page, b.line, note)
			}
			count[page]++
			if where, best, close := search(from, b.lines); where == "" {
				t.Errorf("%s:%d: this block of Go is in no file that is compiled; %s has %d of its %d lines:\n%s",
					b.page, b.line, close, best, len(b.lines), strings.Join(b.lines, "\n"))
			}
		}
	}
	// So that a page that is not read, or blocks that are not seen, don't pass.
	for page, least := range map[string]int{"README.md": 2, "CONTRIBUTING.md": 1, "docs/moving/pond.md": 2} {
		if count[page] < least {
			t.Errorf("%s: %d blocks of Go are seen, and there should be %d", page, count[page], least)
		}
	}
}

// What can't be compiled is Go all the same, and formatted.
func TestWhatIsNotCompiledIsFormatted(t *testing.T) {
	for _, s := range sources(t, false) {
		text := []byte(strings.Join(s.lines, "\n"))
		formatted, err := format.Source(text)
		if err != nil || !bytes.Equal(formatted, text) {
			t.Errorf("%s: error %v, or it is not formatted", s.path, err)
		}
	}
}

// Go comes in fences: what is indented is not looked at, and must be something else.
func TestNoGoIsIndented(t *testing.T) {
	for page, text := range pages(t) {
		fenced := false
		for i, line := range strings.Split(text, "\n") {
			if strings.HasPrefix(strings.TrimLeft(line, " "), "```") {
				fenced = !fenced
			}
			if !fenced && strings.HasPrefix(line, "    ") && (strings.Contains(line, ":=") || strings.Contains(line, "func ")) {
				t.Errorf("%s:%d: this is Go outside of a fence: %s", page, i+1, line)
			}
		}
	}
}

// search returns the file that has lines, or the one that has most of them.
func search(from []source, lines []string) (where string, best int, close string) {
	close = "no file"
	for _, s := range from {
		at, n := s.find(lines)
		if at > 0 {
			return s.path, n, s.path
		}
		if n > best {
			best, close = n, s.path
		}
	}
	return "", best, close
}
