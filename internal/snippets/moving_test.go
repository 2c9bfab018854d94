package snippets_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// patch returns what it takes to move the program of benchmarks/moving from a library.
func patch(t *testing.T, library string) []string {
	t.Helper()
	read := func(name string) []string {
		text, err := os.ReadFile(filepath.Join(root, "benchmarks", "moving", library, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	}
	before := "before/main.go"
	if library == "rill" { // which the module proxy does not have
		before += ".txt"
	}
	return diff(read(before), read("after/main.go"))
}

// A program of 30 lines, besides its imports, moves in fewer than ten changed lines,
// added and removed ones together. Its guide shows all of them, and says how many.
func TestAProgramMovesInFewLines(t *testing.T) {
	for _, library := range []string{"errgroup", "xtime", "conc"} {
		p := patch(t, library)
		added, removed := changed(p)
		if added+removed >= 10 || added+removed == 0 {
			t.Errorf("%s: %d lines are added and %d removed:\n%s", library, added, removed, strings.Join(p, "\n"))
		}
		if old := statements(p); old < 25 || old > 35 {
			t.Errorf("%s: the program has %d lines of code", library, old)
		}
		text := pages(t)["docs/moving/"+library+".md"]
		if !strings.Contains(text, "```diff\n"+strings.Join(p, "\n")+"\n```\n") {
			t.Errorf("docs/moving/%s.md does not show the whole of it:\n%s", library, strings.Join(p, "\n"))
		}
		if says := fmt.Sprintf("%d lines added, %d removed", added, removed); !strings.Contains(text, says) {
			t.Errorf("docs/moving/%s.md does not say %q", library, says)
		}
	}
}

// statements returns how many lines of the old program are code, and no import.
func statements(patch []string) (n int) {
	imports := false
	for _, line := range patch {
		if strings.HasPrefix(line, "+") || line == "" {
			continue
		}
		line = line[1:]
		switch {
		case line == "import (":
			imports = true
		case line == ")":
			imports = false
		case !imports && line != "" && !strings.HasPrefix(line, "//"):
			n++
		}
	}
	return n
}

// The index has the figures of all.
func TestIndexSaysHowManyLines(t *testing.T) {
	index := pages(t)["docs/moving/README.md"]
	rows := regexp.MustCompile(`(?m)^\| \[.*\]\((\w+)\.md\) \|.*\| (.*) \|$`).FindAllStringSubmatch(index, -1)
	if len(rows) != 8 {
		t.Errorf("the index has %d libraries", len(rows))
	}
	for _, row := range rows {
		added, removed := changed(patch(t, row[1]))
		if want := fmt.Sprintf("%d lines added, %d removed", added, removed); row[2] != want {
			t.Errorf("the index says of %s %q, and it is %q", row[1], row[2], want)
		}
	}
}

// What a guide shows as a diff is one.
func TestDiffsAreDiffs(t *testing.T) {
	for page, text := range pages(t) {
		for _, b := range blocks(page, text) {
			if b.info != "diff" {
				continue
			}
			library := strings.TrimSuffix(filepath.Base(page), ".md")
			if !strings.Contains("\n"+strings.Join(patch(t, library), "\n")+"\n", "\n"+strings.Join(b.lines, "\n")+"\n") {
				t.Errorf("%s:%d: this is no part of the diff of benchmarks/moving/%s", b.page, b.line, library)
			}
		}
	}
}
