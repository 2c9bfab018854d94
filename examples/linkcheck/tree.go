package main

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
)

// A tree is a directory of documents.
type tree struct {
	dir     string
	what    selection
	workers int
	pages   map[string]Page // read-only once load has returned
}

func (t *tree) load(ctx context.Context, seen func(Page)) (err error) {
	t.pages, err = readTree(ctx, os.DirFS(t.dir), t.what, t.workers, seen)
	return err
}

func (t *tree) links(yield func(Link) bool) { eachLink(t.pages, yield) }

// inside reports whether u refers to a file of the tree.
func (t *tree) inside(u *url.URL) bool { return u.Scheme == "" && u.Host == "" }

// check returns the fault of a link to u inside the tree, or "" if the link is good.
func (t *tree) check(l Link, u *url.URL) string {
	name := localName(l.Page, u)
	page, known := t.pages[name]
	if !known {
		info, err := os.Stat(filepath.Join(t.dir, filepath.FromSlash(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "no such file"
		case err != nil:
			return err.Error()
		case u.Fragment == "":
			return ""
		case info.IsDir():
			page, known = t.index(name)
		case isDocument(name):
			// Not among the documents read; rare, so it is parsed again each time.
			page, known = parseFile(os.DirFS(filepath.Join(t.dir, filepath.FromSlash(path.Dir(name)))), path.Base(name)), true
		}
	}
	if known && page.Err == nil && !page.HasAnchor(u.Fragment) && !(page.Markdown && isLine(u)) {
		return "no such anchor"
	}
	return ""
}

var lines = regexp.MustCompile(`^L\d+(C\d+)?(-L\d+(C\d+)?)?$`)

// isLine reports whether u refers to a line of the source of a page, as GitHub writes it:
// README.md?plain=1#L7.
func isLine(u *url.URL) bool {
	return u.Query().Get("plain") == "1" && lines.MatchString(u.Fragment)
}

// index returns the page that stands for a directory.
func (t *tree) index(dir string) (Page, bool) {
	for _, name := range []string{"README.md", "index.html", "index.md"} {
		if p, ok := t.pages[path.Join(dir, name)]; ok {
			return p, true
		}
	}
	return Page{}, false
}
