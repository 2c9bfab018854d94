package main

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
)

// A tree is a directory of documents.
type tree struct {
	dir     string
	fsys    fs.FS
	skip    string // pattern of names to pass over
	workers int
	pages   map[string]Page // read-only once load has returned
}

func (t *tree) load(ctx context.Context, seen func(Page)) (err error) {
	t.pages, err = readTree(ctx, t.fsys, t.skip, t.workers, seen)
	return err
}

func (t *tree) links(yield func(Link) bool) { eachLink(t.pages, yield) }

// inside reports whether u leads into the tree.
func (t *tree) inside(u *url.URL) bool { return u.Scheme == "" }

// check says what is wrong with a link that leads to u inside the tree, "" if
// nothing is.
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
			// Outside of what was walked; rare, so it is read again each time.
			page, known = parseFile(os.DirFS(filepath.Join(t.dir, filepath.FromSlash(path.Dir(name)))), path.Base(name)), true
		}
	}
	if known && page.Err == nil && !page.HasAnchor(u.Fragment) {
		return "no such anchor"
	}
	return ""
}

// index returns the page that a directory shows.
func (t *tree) index(dir string) (Page, bool) {
	for _, name := range []string{"README.md", "index.html", "index.md"} {
		if p, ok := t.pages[path.Join(dir, name)]; ok {
			return p, true
		}
	}
	return Page{}, false
}
