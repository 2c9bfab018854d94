package snippets_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// changes returns how many lines a shortest patch from before to after adds and removes.
func changes(before, after []string) string {
	// common[j] is the number of lines that before[i:] and after[j:] have in common, in order.
	common := make([]int, len(after)+1)
	for _, line := range slices.Backward(before) {
		last := slices.Clone(common)
		for j, other := range slices.Backward(after) {
			common[j] = max(last[j], common[j+1])
			if line == other {
				common[j] = last[j+1] + 1
			}
		}
	}
	return fmt.Sprintf("%d lines added, %d removed", len(after)-common[0], len(before)-common[0])
}

// sides returns the lines before and after a patch.
func sides(patch string) (before, after []string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(patch, "\n"), "\n") {
		text := line[min(1, len(line)):] // an empty line has no space before it
		if !strings.HasPrefix(line, "+") {
			before = append(before, text)
		}
		if !strings.HasPrefix(line, "-") {
			after = append(after, text)
		}
	}
	return before, after
}

// The index says for each library how many lines change as its program moves. A guide with
// a patch shows all of it, and says the same.
func TestGuidesShowHowAProgramMoves(t *testing.T) {
	programs := files(t, regexp.MustCompile(`^benchmarks/moving/.*/main.go(.txt)?$`).MatchString)
	program := func(library, name string) []string {
		path := "benchmarks/moving/" + library + "/" + name + "/main.go"
		text := programs[path] + programs[path+".txt"] // rill cannot be had
		return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	pages := pages(t)
	rows := regexp.MustCompile(`(?m)^\| \[.*\]\((\w+)\.md\) \|.*\| (.*) \|$`).FindAllStringSubmatch(pages["docs/moving/README.md"], -1)
	patches := 0
	for _, row := range rows {
		before, after := program(row[1], "before"), program(row[1], "after")
		want := changes(before, after)
		if row[2] != want {
			t.Errorf("the index says of %s %q, and it is %q", row[1], row[2], want)
		}
		page := "docs/moving/" + row[1] + ".md"
		for _, b := range blocks(page, pages[page]) {
			if b.info != "diff" {
				continue
			}
			patches++
			was, is := sides(b.text)
			if !slices.Equal(was, before) || !slices.Equal(is, after) || changes(was, is) != want {
				t.Errorf("%s:%d: this is no patch of benchmarks/moving/%s", page, b.line, row[1])
			}
			if !strings.Contains(pages[page], want) {
				t.Errorf("%s does not say %q", page, want)
			}
		}
	}
	if len(rows) != 8 || patches < 3 {
		t.Errorf("the index has %d libraries, and %d guides have a patch", len(rows), patches)
	}
}

func TestChanges(t *testing.T) {
	for _, c := range []struct{ patch, want string }{
		{" a\n b\n c", "0 lines added, 0 removed"},
		{" a\n-b\n c", "0 lines added, 1 removed"},
		{" a\n+b\n c", "1 lines added, 0 removed"},
		{"-a\n+x\n b\n-c\n+y", "2 lines added, 2 removed"},
		{"+a\n-b\n+b", "1 lines added, 0 removed"}, // not the shortest
	} {
		if got := changes(sides(c.patch)); got != c.want {
			t.Errorf("%q: %s, want %s", c.patch, got, c.want)
		}
	}
}
