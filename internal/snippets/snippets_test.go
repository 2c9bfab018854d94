package snippets_test

import (
	"go/format"
	"regexp"
	"strings"
	"testing"
)

// notCompiled marks a block of Go that cannot be compiled, for a reason that the page
// gives. It must be a part of a .go.txt file.
const notCompiled = "not compiled"

var (
	// shown are the compiled files that pages may show: Examples and programs for readers.
	shown = regexp.MustCompile(`^(examples|benchmarks/moving|benchmarks/peers)/.*\.go$|(^|/)example[^/]*_test\.go$`)
	// uncompiled are files whose imports are unavailable.
	uncompiled = regexp.MustCompile(`^benchmarks/moving/.*\.go\.txt$`)
)

// has reports whether lines stand in a file, indented by any number of tabs.
func has(file, lines string) bool {
	first, _, _ := strings.Cut(lines, "\n")
	for _, m := range regexp.MustCompile(`(?m)^(\t*)`+regexp.QuoteMeta(first)+"$").FindAllStringSubmatchIndex(file, -1) {
		indented := regexp.MustCompile("(?m)^.").ReplaceAllString(lines, file[m[2]:m[3]]+"$0")
		if strings.HasPrefix(file[m[0]:], indented) {
			return true
		}
	}
	return false
}

// Every block of Go on a page for users is a part, word for word, of a compiled file.
func TestEveryBlockOfGoIsCompiled(t *testing.T) {
	compiled, others := files(t, shown.MatchString), files(t, uncompiled.MatchString)
	count := map[string]int{}
	for page, text := range pages(t) {
		for _, b := range blocks(page, text) {
			from := compiled
			switch b.info {
			case "diff", "mermaid":
				continue
			case "go":
			case "go " + notCompiled:
				from = others
			default:
				t.Errorf("%s:%d: a block of %q: fence go, diff and mermaid, and indent commands", b.page, b.line, b.info)
				continue
			}
			count[page]++
			found := false
			for _, file := range from {
				found = found || has(file, b.text) && !strings.Contains(file, "//go:build ignore")
			}
			if !found {
				t.Errorf("%s:%d: this block of Go is in no file that is compiled:\n%s", b.page, b.line, b.text)
			}
		}
	}
	// Pages that are not read, or blocks that are not found, must not pass.
	for page, least := range map[string]int{"README.md": 2, "docs/moving/pond.md": 2} {
		if count[page] < least {
			t.Errorf("%s: %d blocks of Go are seen, and there should be %d", page, count[page], least)
		}
	}
}

// Go that is not compiled is valid and formatted.
func TestUncompiledGoIsFormatted(t *testing.T) {
	for path, text := range files(t, uncompiled.MatchString) {
		if formatted, err := format.Source([]byte(text)); err != nil || string(formatted) != text {
			t.Errorf("%s: error %v, or it is not formatted", path, err)
		}
	}
}

// All Go is fenced: indented blocks are not checked, and must not be Go.
func TestNoGoIsIndented(t *testing.T) {
	for page, text := range pages(t) {
		for _, line := range regexp.MustCompile("(?m)^    .*(:=|func ).*$").FindAllString(fenced.ReplaceAllString(text, ""), -1) {
			t.Errorf("%s: this is Go outside of a fence: %s", page, line)
		}
	}
}

func TestHas(t *testing.T) {
	const file = "func f() {\n\tif x {\n\t\ty()\n\n\t\tz()\n\t}\n}\n"
	for lines, want := range map[string]bool{
		"if x {\n\ty()\n\n\tz()\n}\n": true,
		"y()\n\nz()\n":                true,
		"if x {\ny()\n":               false, // indented differently from the rest
		"y()\n\nz() // comment\n":     false, // every word counts
		"x {\n":                       false, // a part of a line does not count
		"\t}\n}\nmore\n":              false,
	} {
		if has(file, lines) != want {
			t.Errorf("has(%q) is not %v", lines, want)
		}
	}
}
