package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"strings"

	"github.com/tandemgo/tandem/pool"
)

// A tree is a directory whose files are hashed.
type tree struct {
	fsys    fs.FS
	dir     string // its name, before those of the files
	workers int
}

// A file is a name found by the walk, or an error of the walk.
type file struct {
	name string
	err  error
}

// print writes a line for every file to stdout and errors to stderr, and reports
// whether there were none.
func (t tree) print(ctx context.Context, stdout, stderr io.Writer) bool {
	p := pool.New(t.workers, t.line)
	defer p.Close()
	ok := true
	for line, err := range p.Map(ctx, t.files(ctx)) {
		if err == nil {
			_, err = io.WriteString(stdout, line)
			if err != nil {
				fmt.Fprintf(stderr, "treehash: %v\n", err)
				return false // the output is closed
			}
			continue
		}
		ok = false
		if e, isTask := errors.AsType[*pool.TaskError](err); isTask {
			err = e.Err // it names the file
		}
		fmt.Fprintf(stderr, "treehash: %v\n", err)
	}
	return ok
}

// files returns an iterator over the regular files in the order of the tree. An error
// has its place among them, so the loop that prints handles it in order and on its own
// goroutine; the walk runs on another.
func (t tree) files(ctx context.Context) iter.Seq[file] {
	return func(yield func(file) bool) {
		_ = fs.WalkDir(t.fsys, ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil: // checked here as well, since the next file may be far away
				return fs.SkipAll
			case err == nil && !d.Type().IsRegular():
				return nil
			case !yield(file{name, err}):
				return fs.SkipAll
			}
			return nil
		})
	}
}

// line is the task: it returns the line of sha256sum for a file.
func (t tree) line(ctx context.Context, f file) (string, error) {
	path := filepath.Join(t.dir, filepath.FromSlash(f.name))
	sum, err := []byte(nil), f.err
	if err == nil {
		sum, err = hash(ctx, t.fsys, f.name)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // its path is relative to t.dir
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	mark := ""
	if strings.ContainsAny(path, "\\\n\r") {
		mark, path = `\`, escaper.Replace(path)
	}
	return fmt.Sprintf("%s%x  %s\n", mark, sum, path), nil
}

// escaper keeps a name on one line. sha256sum -c reverses it for lines that start with
// a backslash.
var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)

// hash returns the SHA-256 of a file. It checks ctx between two reads, since a large
// file takes long.
func hash(ctx context.Context, fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, reader(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		return f.Read(b)
	}))
	return h.Sum(nil), err
}

// A reader is a function that implements [io.Reader].
type reader func([]byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }
