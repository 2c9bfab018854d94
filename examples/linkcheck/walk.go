package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tandemgo/tandem/pipeline"
)

// maxDocument is the largest size of a document that is read; larger ones are reported.
const maxDocument = 32 << 20

// A selection says which documents of a tree are read.
type selection struct {
	starts []string // files, and directories with all below them
	skip   []string // patterns of names that are left out
	hidden bool     // hidden directories, too
}

// documents returns an iterator over the names of the selected documents, and the
// errors of directories that cannot be read. It leaves out node_modules.
func (s selection) documents(root fs.FS) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, start := range s.starts {
			more := true
			_ = fs.WalkDir(root, start, func(name string, d fs.DirEntry, err error) error {
				dir := d != nil && d.IsDir()
				switch {
				case s.skips(name), dir && name != start && s.passes(d.Name()):
					if dir {
						return fs.SkipDir
					}
				case err != nil:
					more = yield(name, err)
				case name == start && !dir, isDocument(name) && d.Type().IsRegular():
					more = yield(name, nil)
				}
				if !more {
					return fs.SkipAll
				}
				return nil
			})
			if !more {
				return
			}
		}
	}
}

// skips reports whether name matches a pattern; all patterns are valid.
func (s selection) skips(name string) bool {
	return slices.ContainsFunc(s.skip, func(pattern string) bool {
		matches, _ := path.Match(pattern, name)
		return matches
	})
}

// passes reports whether a directory is left out because of its name.
func (s selection) passes(dir string) bool {
	return dir == "node_modules" || dir == ".git" || !s.hidden && strings.HasPrefix(dir, ".")
}

func isDocument(name string) bool { return isMarkdown(name) || isHTML(name) || isCSS(name) }

func isMarkdown(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".md" || ext == ".markdown"
}

func isHTML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".html" || ext == ".htm" || ext == ".xhtml"
}

func isCSS(name string) bool { return strings.EqualFold(path.Ext(name), ".css") }

// readTree reads and parses the selected documents below root. A document that cannot be
// read is a page with an error, and the run goes on.
func readTree(ctx context.Context, root fs.FS, what selection, workers int, seen func(Page)) (map[string]Page, error) {
	unreadable := map[string]error{}
	names := func(yield func(string) bool) {
		for name, err := range what.documents(root) {
			if err != nil {
				unreadable[name] = err // read only after the run has ended
				continue
			}
			if !yield(name) {
				return
			}
		}
	}
	parse := pipeline.Map(func(_ context.Context, name string) (Page, error) {
		return parseFile(root, name), nil
	}, pipeline.WithName("parse"), pipeline.WithWorkers(workers), pipeline.Unordered())

	pages := map[string]Page{}
	for page, err := range parse.Run(ctx, pipeline.Seq(names)) {
		if err != nil {
			return pages, err
		}
		pages[page.Name] = page
		seen(page)
	}
	for name, err := range unreadable {
		page := Page{Name: name, Err: err}
		pages[name] = page
		seen(page)
	}
	return pages, nil
}

func parseFile(root fs.FS, name string) Page {
	src, err := readLimited(root, name)
	if err != nil {
		return Page{Name: name, Err: err}
	}
	return parseDocument(name, kindOf(name), src)
}

// A kind is a kind of document.
type kind int

const (
	asHTML kind = iota
	asMarkdown
	asCSS
)

func kindOf(name string) kind {
	switch {
	case isMarkdown(name):
		return asMarkdown
	case isCSS(name):
		return asCSS
	}
	return asHTML
}

func parseDocument(name string, kind kind, src []byte) Page {
	p := Page{Name: name, Markdown: kind == asMarkdown}
	switch kind {
	case asMarkdown:
		parseMarkdown(&p, src)
	case asCSS:
		p.Other = true
		parseCSS(&p, src, 1, "")
	default:
		parseHTML(&p, src, 1, nil)
	}
	return p
}

func readLimited(root fs.FS, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	src, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err == nil && len(src) > maxDocument {
		err = fmt.Errorf("larger than %d MiB", maxDocument>>20)
	}
	return src, err
}

// openTree returns the directory that links such as /docs/a.md are relative to, and where
// to start in it: a directory is both. For files, and for several arguments, the root is
// the working directory, or that of a single file elsewhere.
func openTree(args []string) (root string, starts []string, err error) {
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case err != nil:
			return "", nil, err
		case info.IsDir() && len(args) == 1:
			return arg, []string{"."}, nil
		case !info.IsDir() && !isDocument(arg):
			return "", nil, fmt.Errorf("%s is neither a directory nor a file of Markdown, HTML or CSS", arg)
		}
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", nil, err
	}
	for _, arg := range args {
		abs, err := filepath.Abs(arg)
		if err != nil {
			return "", nil, err
		}
		name, err := filepath.Rel(wd, abs)
		switch {
		case err == nil && filepath.IsLocal(name):
			starts = append(starts, filepath.ToSlash(name))
		case len(args) == 1:
			return filepath.Dir(arg), []string{filepath.Base(arg)}, nil
		default:
			return "", nil, fmt.Errorf("%s is not below the working directory, as several arguments must be", arg)
		}
	}
	return ".", starts, nil
}
