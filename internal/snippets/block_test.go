package snippets_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// A block is a fenced part of a page.
type block struct {
	page  string // path from the root of the repository
	line  int    // of its first line, from 1
	info  string // what stands behind the opening fence
	lines []string
}

// blocks returns the fenced parts of a page.
func blocks(page, text string) (all []block) {
	var b *block
	indent := ""
	for i, line := range strings.Split(text, "\n") {
		bare := strings.TrimLeft(line, " ")
		switch {
		case b == nil && strings.HasPrefix(bare, "```"):
			indent = line[:len(line)-len(bare)]
			b = &block{page: page, line: i + 2, info: strings.TrimSpace(bare[3:])}
		case b != nil && strings.HasPrefix(bare, "```"):
			all, b = append(all, *b), nil
		case b != nil:
			b.lines = append(b.lines, strings.TrimPrefix(line, indent))
		}
	}
	if b != nil {
		all = append(all, *b)
	}
	return all
}

// pages returns the pages that users read, by path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	add := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.ToSlash(name)] = string(text)
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} {
		add(filepath.Join(root, name))
	}
	for path := range files(t, filepath.Join(root, "docs")) {
		if strings.HasSuffix(path, ".md") {
			add(path)
		}
	}
	return all
}

func TestBlocks(t *testing.T) {
	const text = "a\n```go\nx := 1\n\n\ty()\n```\nb\n1. c\n\n   ```go note\n   z()\n   ```\n```\nlast\n"
	got := blocks("p.md", text)
	want := []block{
		{"p.md", 3, "go", []string{"x := 1", "", "\ty()"}},
		{"p.md", 11, "go note", []string{"z()"}},
		{"p.md", 14, "", []string{"last", ""}}, // a fence that is forgotten hides nothing
	}
	if diff := compare(want, got); diff != "" {
		t.Error(diff)
	}
}
