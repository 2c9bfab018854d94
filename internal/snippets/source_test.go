package snippets_test

import (
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A source is a file that pages may take their Go from.
type source struct {
	path  string // from the root of the repository
	lines []string
}

// find returns the number of the line, from 1, at which lines stand in s, all of them
// moved in by the same number of tabs. If they don't, it returns how many of them do.
func (s source) find(lines []string) (at, best int) {
	for i := range s.lines {
		n := s.match(i, lines)
		if n == len(lines) {
			return i + 1, n
		}
		best = max(best, n)
	}
	return 0, best
}

// match returns how many of lines stand in s from line i on.
func (s source) match(i int, lines []string) int {
	indent, ok := strings.CutSuffix(s.lines[i], lines[0])
	if !ok || strings.Trim(indent, "\t") != "" {
		return 0
	}
	for k, line := range lines {
		if line != "" {
			line = indent + line
		}
		if i+k >= len(s.lines) || s.lines[i+k] != line {
			return k
		}
	}
	return len(lines)
}

// sources returns what is compiled and may be shown: Examples, and programs that are
// there to be read. With compiled false it returns those that can't be compiled, since
// what they import can't be had.
func sources(t *testing.T, compiled bool) (all []source) {
	t.Helper()
	for path := range files(t, root) {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		name = filepath.ToSlash(name)
		isText := strings.HasPrefix(name, "benchmarks/moving/") && strings.HasSuffix(name, ".go.txt")
		if compiled && !shown(name) || !compiled && !isText {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "//go:build ignore") {
			all = append(all, source{name, strings.Split(string(text), "\n")})
		}
	}
	return all
}

// shown reports whether a file is compiled with its module and written for readers.
func shown(name string) bool {
	if !strings.HasSuffix(name, ".go") || strings.Contains(name, "/testdata/") {
		return false
	}
	for _, dir := range []string{"examples/", "benchmarks/moving/", "benchmarks/peers/"} {
		if strings.HasPrefix(name, dir) {
			return true
		}
	}
	_, base, _ := cutLast(name, "/")
	return strings.HasPrefix(base, "example") && strings.HasSuffix(base, "_test.go")
}

// files walks all files in a folder and those in it, without what git keeps.
func files(t *testing.T, dir string) iter.Seq[string] {
	t.Helper()
	return func(yield func(string) bool) {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == ".git":
				return fs.SkipDir
			case !d.IsDir() && !yield(path):
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

func compare(want, got []block) string {
	return cmp.Diff(want, got, cmp.AllowUnexported(block{}))
}

func TestFind(t *testing.T) {
	s := source{"p.go", []string{"func f() {", "\tif x {", "\t\ty()", "", "\t\tz()", "\t}", "}"}}
	for _, c := range []struct {
		at, best int
		lines    []string
	}{
		{2, 5, []string{"if x {", "\ty()", "", "\tz()", "}"}},
		{3, 3, []string{"y()", "", "z()"}},
		{0, 1, []string{"if x {", "y()"}},             // not moved in as the rest is
		{0, 2, []string{"y()", "", "z() // comment"}}, // every word counts
		{0, 0, []string{"x {"}},                       // a part of a line is none
		{0, 2, []string{"\t}", "}", "more"}},
	} {
		if at, best := s.find(c.lines); at != c.at || best != c.best {
			t.Errorf("find(%s) = %d, %d, want %d, %d", fmt.Sprintf("%q", c.lines), at, best, c.at, c.best)
		}
	}
}
