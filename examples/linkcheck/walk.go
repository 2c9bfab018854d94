package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"

	"github.com/tandemgo/tandem/pipeline"
)

// maxDocument is the size above which a document is reported and not read.
const maxDocument = 32 << 20

// documents walks the names of the Markdown and HTML files below root, and the
// errors of directories that cannot be read. It passes over hidden directories,
// node_modules, and what the pattern skip matches.
func documents(root fs.FS, skip string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		_ = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
			if skipped, _ := path.Match(skip, name); skipped { // the pattern is known to be good
				if d != nil && d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			switch {
			case err != nil:
				if !yield(name, err) {
					return fs.SkipAll
				}
				return nil
			case d.IsDir():
				if name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
					return fs.SkipDir
				}
				return nil
			case isDocument(name) && d.Type().IsRegular() && !yield(name, nil):
				return fs.SkipAll
			}
			return nil
		})
	}
}

func isDocument(name string) bool { return isMarkdown(name) || isHTML(name) }

func isMarkdown(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".md" || ext == ".markdown"
}

func isHTML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".html" || ext == ".htm" || ext == ".xhtml"
}

// readTree reads and parses all documents below root. One that cannot be read
// is a page with an error, not the end of the run.
func readTree(ctx context.Context, root fs.FS, skip string, workers int, seen func(Page)) (map[string]Page, error) {
	unreadable := map[string]error{}
	names := func(yield func(string) bool) {
		for name, err := range documents(root, skip) {
			if err != nil {
				unreadable[name] = err // read by nobody before the run has ended
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
	return parse(name, isMarkdown(name), src)
}

func parse(name string, markdown bool, src []byte) Page {
	p := Page{Name: name}
	if markdown {
		parseMarkdown(&p, src)
	} else {
		parseHTML(&p, src, 1)
	}
	return p
}

func readLimited(root fs.FS, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err == nil && len(src) > maxDocument {
		err = fmt.Errorf("larger than %d MiB", maxDocument>>20)
	}
	return src, err
}

// openRoot returns the tree below dir, or says why there is none.
func openRoot(dir string) (fs.FS, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", dir)
	}
	return os.DirFS(dir), nil
}
