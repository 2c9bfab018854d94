package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// want returns the line that sha256sum prints.
func want(path, text string) string {
	return fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(text)), path)
}

// With any number of workers, every file is hashed, in the order of the tree, and links
// and empty directories are skipped.
func TestHashesATreeInOrder(t *testing.T) {
	dir := t.TempDir()
	var all strings.Builder
	for d := range 20 {
		sub := filepath.Join(dir, fmt.Sprintf("d%02d", d))
		if err := os.MkdirAll(filepath.Join(sub, "empty"), 0o755); err != nil {
			t.Fatal(err)
		}
		for f := range 20 {
			path := filepath.Join(sub, fmt.Sprintf("f%02d.txt", f))
			text := strings.Repeat(fmt.Sprintf("%d of %d\n", f, d), f*d*20) // up to 60 kB
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			all.WriteString(want(path, text))
		}
		if err := os.Symlink("f00.txt", filepath.Join(sub, "link")); err != nil {
			t.Fatal(err)
		}
	}
	for _, workers := range []string{"1", "3", "50"} {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"-workers", workers, dir}, &out, &errs)
		if diff := cmp.Diff(all.String(), out.String()); code != exitGood || errs.Len() > 0 || diff != "" {
			t.Errorf("%s workers: exit %d, %q (-want +got):\n%s", workers, code, &errs, diff)
		}
	}
}

// A brokenFS fails to open some of its files and directories.
type brokenFS struct {
	fs.FS
	broken map[string]error
}

func (b brokenFS) Open(name string) (fs.File, error) {
	if err := b.broken[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return b.FS.Open(name)
}

// A file that has been removed since the walk and a directory that may not be read are
// reported by name, and the rest is hashed.
func TestReportsWhatItCannotReadAndGoesOn(t *testing.T) {
	files := fstest.MapFS{
		"a":        {Data: []byte("A")},
		"gone":     {},
		"secret/b": {Data: []byte("B")},
		"z":        {Data: []byte("Z")},
	}
	fsys := brokenFS{files, map[string]error{"gone": fs.ErrNotExist, "secret": fs.ErrPermission}}
	var out, errs bytes.Buffer
	ok := tree{fsys: fsys, dir: "top", workers: 2}.print(t.Context(), &out, &errs)
	if diff := cmp.Diff(want("top/a", "A")+want("top/z", "Z"), out.String()); ok || diff != "" {
		t.Errorf("all is good: %v (-want +got):\n%s", ok, diff)
	}
	const report = "treehash: top/gone: file does not exist\ntreehash: top/secret: permission denied\n"
	if diff := cmp.Diff(report, errs.String()); diff != "" {
		t.Errorf("standard error (-want +got):\n%s", diff)
	}
}

// A file on disk that may not be read is reported, and the exit status is 1.
func TestUnreadableFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	if err := os.WriteFile(path, []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(path); err == nil {
		t.Skip("this user may read everything")
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{dir}, &out, &errs)
	if report := "treehash: " + path + ": permission denied\n"; code != exitFailed || errs.String() != report {
		t.Errorf("exit %d, %q; want %d, %q", code, &errs, exitFailed, report)
	}
}

// Names that do not fit on a line are escaped as sha256sum does.
func TestEscapesNames(t *testing.T) {
	line, err := tree{fsys: fstest.MapFS{"a\nb\\c": {}}, dir: "."}.line(t.Context(), file{name: "a\nb\\c"})
	if got := `\` + want(`a\nb\\c`, ""); line != got || err != nil {
		t.Errorf("got %q, %v; want %q", line, err, got)
	}
}

// An endlessFS is a directory that contains itself, and an unlimited number of files.
type endlessFS struct {
	entries fstest.MapFS // of every directory
	look    func()       // called by every read of a file or directory
}

func (e endlessFS) Open(string) (fs.File, error)     { return endlessFile{look: e.look}, nil }
func (e endlessFS) Stat(string) (fs.FileInfo, error) { return e.entries.Stat(".") }

func (e endlessFS) ReadDir(string) ([]fs.DirEntry, error) {
	e.look()
	return e.entries.ReadDir(".")
}

type endlessFile struct {
	fs.File
	look func()
}

func (f endlessFile) Read(b []byte) (int, error) { f.look(); return len(b), nil }
func (f endlessFile) Close() error               { return nil }

// The end of the context stops the run, in the middle of a file or of a walk that finds
// no file.
func TestStopsAtOnce(t *testing.T) {
	for name, entries := range map[string]fstest.MapFS{
		"files":       {"a": {}, "b": {Mode: fs.ModeDir}, "c": {}},
		"directories": {"b": {Mode: fs.ModeDir}},
	} {
		t.Run(name, func(t *testing.T) {
			defer time.AfterFunc(time.Minute, func() { panic("it does not stop") }).Stop()
			ctx, cancel := context.WithCancelCause(t.Context())
			var looks atomic.Int64
			fsys := endlessFS{entries, func() {
				if looks.Add(1) == 100 {
					cancel(errors.New("interrupted"))
				}
			}}
			var errs bytes.Buffer
			ok := tree{fsys: fsys, dir: ".", workers: 4}.print(ctx, io.Discard, &errs)
			if ok || errs.String() != "treehash: interrupted\n" {
				t.Errorf("all is good: %v, %q", ok, &errs)
			}
		})
	}
}

// The run ends if its output is no longer read.
func TestStopsWhenNobodyReads(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 1000 {
		fsys[fmt.Sprint(i)] = &fstest.MapFile{}
	}
	var errs bytes.Buffer
	r, w := io.Pipe()
	r.Close()
	ok := tree{fsys: fsys, dir: ".", workers: 2}.print(t.Context(), w, &errs)
	if want := "treehash: io: read/write on closed pipe\n"; ok || errs.String() != want {
		t.Errorf("all is good: %v, %q; want %q", ok, &errs, want)
	}
}

// A usage error names the given value and the allowed ones.
func TestUsage(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"-workers", "0"}, exitUsage, "treehash: -workers must be at least 1, got 0\n"},
		{[]string{"a", "b"}, exitUsage, "treehash: one directory at most, got 2: a b\n"},
		{[]string{missing}, exitUsage, "treehash: open " + missing + ": no such file or directory\n"},
		{[]string{"-fast"}, exitUsage, "usage: treehash [-workers N] [DIR]\n"},
		{[]string{"-h"}, exitGood, "usage: treehash [-workers N] [DIR]\n"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), c.args, &out, &errs); code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%q: exit %d, %q; want %d, %q", c.args, code, &errs, c.code, c.says)
		}
	}
}
