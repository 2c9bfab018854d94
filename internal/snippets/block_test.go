package snippets_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// A block is a fenced part of a page.
type block struct {
	page string // path from the root of the repository
	line int    // of its first line, from 1
	info string // the text after the opening fence
	text string
}

// fenced finds the blocks of a page. A fence that is not closed reaches to the end.
var fenced = regexp.MustCompile("(?m)^( *)```(.*)\n((?:.*\n)*?)(?: *```$|\\z)")

func blocks(page, text string) (all []block) {
	for _, m := range fenced.FindAllStringSubmatchIndex(text, -1) {
		lines := strings.SplitAfter(text[m[6]:m[7]], "\n")
		for i, line := range lines {
			lines[i] = strings.TrimPrefix(line, text[m[2]:m[3]]) // in an item of a list
		}
		all = append(all, block{page, 1 + strings.Count(text[:m[6]], "\n"), strings.TrimSpace(text[m[4]:m[5]]), strings.Join(lines, "")})
	}
	return all
}

// files returns the texts of the files for which want returns true, by path from the root.
func files(t *testing.T, want func(path string) bool) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if d.Name() == ".git" {
				return fs.SkipDir
			}
			return err
		}
		name := filepath.ToSlash(strings.TrimPrefix(path, filepath.FromSlash(root+"/")))
		if !want(name) {
			return nil
		}
		text, err := os.ReadFile(path)
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// pages returns the pages that users read.
func pages(t *testing.T) map[string]string {
	return files(t, regexp.MustCompile(`^(README|CONTRIBUTING|SECURITY|CHANGELOG|docs/.*)\.md$`).MatchString)
}

func TestBlocks(t *testing.T) {
	const text = "a\n```go\nx := 1\n\n\ty()\n```\nb\n1. c\n\n   ```go note\n   z()\n   ```\n```\nlast\n"
	want := []block{{"p.md", 3, "go", "x := 1\n\n\ty()\n"}, {"p.md", 11, "go note", "z()\n"}, {"p.md", 14, "", "last\n"}}
	if diff := cmp.Diff(want, blocks("p.md", text), cmp.AllowUnexported(block{})); diff != "" {
		t.Error(diff)
	}
}
