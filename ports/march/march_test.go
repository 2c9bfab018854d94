package march_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tandemgo/tandem/ports/internal/proof"
	"github.com/tandemgo/tandem/ports/march"
	"github.com/tandemgo/tandem/ports/march/after"
	"github.com/tandemgo/tandem/ports/march/before"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLines(t *testing.T) { proof.Lines(t, 0.60) }

func TestPage(t *testing.T) { proof.Page(t, "rclone: the march and the list of files") }

// A shape is one of both.
type shape struct {
	run   func(ctx context.Context, src, dst march.FS, checkers int, noTraverse bool, calls march.Calls) error
	files func(ctx context.Context, checkers int, fs march.FS, paths iter.Seq[string], fn func(march.Entry) error) error
}

var old = shape{
	func(ctx context.Context, src, dst march.FS, n int, no bool, c march.Calls) error {
		return (&before.March{Src: src, Dst: dst, Checkers: n, NoTraverse: no, Calls: c}).Run(ctx)
	}, before.Files,
}

var now = shape{
	func(ctx context.Context, src, dst march.FS, n int, no bool, c march.Calls) error {
		return (&after.March{Src: src, Dst: dst, Checkers: n, NoTraverse: no, Calls: c}).Run(ctx)
	}, after.Files,
}

// both runs a test on both shapes, each in a bubble.
func both(t *testing.T, test func(t *testing.T, s shape)) {
	for name, s := range map[string]shape{"before": old, "after": now} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, s) })
		})
	}
}

// A tree has the entries of each directory, and takes a time for each call.
type tree struct {
	dirs  map[string][]march.Entry
	delay func() time.Duration
	fail  string // listing this directory fails, or looking this file up
}

var errFail = errors.New("permission denied")

func (x *tree) wait(ctx context.Context) error {
	if x.delay == nil {
		return ctx.Err()
	}
	select {
	case <-time.After(x.delay()):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (x *tree) List(ctx context.Context, dir string, fn func([]march.Entry) error) error {
	if err := x.wait(ctx); err != nil {
		return err
	}
	entries, ok := x.dirs[dir]
	if dir == x.fail && dir != "" {
		return errFail
	}
	if !ok {
		return march.ErrNotFound
	}
	for some := range slices.Chunk(entries, 30) {
		if err := fn(some); err != nil {
			return err
		}
	}
	return nil
}

func (x *tree) Lookup(ctx context.Context, path string) (march.Entry, error) {
	if err := x.wait(ctx); err != nil {
		return march.Entry{}, err
	}
	e := march.Entry{Path: path}
	dir := path[:max(strings.LastIndex(path, "/"), 0)]
	if path == x.fail {
		return e, errFail
	}
	if _, ok := slices.BinarySearchFunc(x.dirs[dir], e, byKey); !ok {
		return e, march.ErrNotFound
	}
	return e, nil
}

func byKey(a, b march.Entry) int { return strings.Compare(a.Key(), b.Key()) }

// newTree returns a tree of which each directory has files and directories of these numbers,
// to a depth. Of those, keep picks some.
func newTree(files, dirs, depth int, keep func(path string) bool) *tree {
	x := &tree{dirs: map[string][]march.Entry{}}
	var fill func(dir string, depth int)
	fill = func(dir string, depth int) {
		entries := []march.Entry{}
		add := func(kind string, n int, isDir bool) {
			for i := range n {
				e := march.Entry{Path: strings.TrimPrefix(fmt.Sprintf("%s/%s%03d", dir, kind, i), "/"), Dir: isDir}
				if keep(e.Path) {
					entries = append(entries, e)
					if isDir {
						fill(e.Path, depth-1)
					}
				}
			}
		}
		if depth > 0 {
			add("d", dirs, true)
		}
		add("f", files, false)
		slices.SortFunc(entries, byKey)
		x.dirs[dir] = entries
	}
	fill("", depth)
	return x
}

func all(string) bool { return true }

// A report collects the calls of a march.
type report struct {
	mu                      sync.Mutex
	srcOnly, dstOnly, match []string
}

func (r *report) calls() march.Calls {
	add := func(to *[]string) func(march.Entry) {
		return func(e march.Entry) {
			r.mu.Lock()
			defer r.mu.Unlock()
			*to = append(*to, e.Key())
		}
	}
	match := add(&r.match)
	return march.Calls{SrcOnly: add(&r.srcOnly), DstOnly: add(&r.dstOnly), Match: func(e march.Entry) error { match(e); return nil }}
}

func (r *report) sorted() [][]string {
	for _, s := range [][]string{r.srcOnly, r.dstOnly, r.match} {
		slices.Sort(s)
	}
	return [][]string{r.srcOnly, r.dstOnly, r.match}
}

// want returns the report of comparing both trees entry by entry.
func want(src, dst *tree, noTraverse bool) *report {
	keys := func(x *tree) map[string]bool {
		all := map[string]bool{}
		for _, entries := range x.dirs {
			for _, e := range entries {
				all[e.Key()] = true
			}
		}
		return all
	}
	r := &report{}
	inSrc, inDst := keys(src), keys(dst)
	for k := range inSrc {
		if inDst[k] && !(noTraverse && strings.HasSuffix(k, "/")) {
			r.match = append(r.match, k)
		} else {
			r.srcOnly = append(r.srcOnly, k)
		}
	}
	for k := range inDst {
		if !inSrc[k] && !noTraverse {
			r.dstOnly = append(r.dstOnly, k)
		}
	}
	return r
}

// 8656: all of more than 100 files are looked up in the other tree, and all are there.
func TestLooksUpManyFiles(t *testing.T) {
	t.Parallel()
	march := func(t *testing.T, s shape) {
		synctest.Test(t, func(t *testing.T) {
			src := newTree(300, 0, 0, all)
			var r report
			if err := s.run(t.Context(), src, src, 8, true, r.calls()); err != nil {
				t.Error(err)
			}
			if d := cmp.Diff(want(src, src, true).sorted(), r.sorted()); d != "" {
				t.Error(d)
			}
		})
	}
	t.Run("before", func(t *testing.T) {
		proof.Hangs(t, func(t *testing.T) { march(t, old) }, "before.(*March).lookUp", "before.(*March).match")
	})
	t.Run("after", func(t *testing.T) { march(t, now) })
}

// 7037: the first files can't be read, and all checkers have ended.
func TestCheckersEndByAnError(t *testing.T) {
	t.Parallel()
	list := func(t *testing.T, s shape) {
		synctest.Test(t, func(t *testing.T) {
			fs := newTree(100, 0, 0, all)
			fs.fail = "f000"
			n := 0
			paths := func(yield func(string) bool) {
				for _, e := range fs.dirs[""] {
					n++
					if !yield(e.Path) {
						return
					}
				}
			}
			if err := s.files(t.Context(), 1, fs, paths, func(march.Entry) error { return nil }); !errors.Is(err, errFail) || n == 100 {
				t.Errorf("error %v after %d paths", err, n)
			}
		})
	}
	t.Run("before", func(t *testing.T) {
		proof.Hangs(t, func(t *testing.T) { list(t, old) }, "before.Files")
	})
	t.Run("after", func(t *testing.T) { list(t, now) })
}

// Without an error both shapes find all files that are there.
func TestFiles(t *testing.T) {
	both(t, func(t *testing.T, s shape) {
		fs := newTree(100, 0, 0, all)
		var mu sync.Mutex
		var got []string
		paths := slices.Values([]string{"f003", "missing", "f001", "f099"})
		if err := s.files(t.Context(), 4, fs, paths, func(e march.Entry) error {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, e.Path)
			return nil
		}); err != nil {
			t.Error(err)
		}
		if slices.Sort(got); !slices.Equal(got, []string{"f001", "f003", "f099"}) {
			t.Error(got)
		}
	})
}

// Every entry of both trees is seen once, with listings and with look-ups.
func TestFindsEverything(t *testing.T) {
	both(t, func(t *testing.T, s shape) {
		src := newTree(20, 4, 3, func(path string) bool { return !strings.Contains(path, "d001") })
		dst := newTree(20, 4, 3, func(path string) bool { return !strings.HasSuffix(path, "2") })
		for _, noTraverse := range []bool{false, true} {
			var r report
			if err := s.run(t.Context(), src, dst, 4, noTraverse, r.calls()); err != nil {
				t.Error(err)
			}
			if d := cmp.Diff(want(src, dst, noTraverse).sorted(), r.sorted()); d != "" {
				t.Error(d)
			}
		}
		none := &tree{}
		var r report
		if err := s.run(t.Context(), src, none, 4, false, r.calls()); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(want(src, none, false).sorted(), r.sorted()); d != "" {
			t.Error(d)
		}
		if err := s.run(t.Context(), none, src, 4, false, r.calls()); !errors.Is(err, march.ErrNotFound) {
			t.Errorf("error %v of a source that is not there", err)
		}
	})
}

// A directory that can't be listed does not end the march, and its error comes back. The end
// of the context does.
func TestErrors(t *testing.T) {
	both(t, func(t *testing.T, s shape) {
		src := newTree(5, 3, 2, all)
		src.fail = "d001/d001"
		var r report
		if err := s.run(t.Context(), src, src, 2, false, r.calls()); !errors.Is(err, errFail) || len(r.match)+len(r.dstOnly) != 5*12+12 {
			t.Errorf("error %v after %d entries", err, len(r.match)+len(r.dstOnly))
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		src.delay = func() time.Duration { return time.Second }
		time.AfterFunc(1500*time.Millisecond, func() { cancel(context.Canceled) })
		if err := s.run(ctx, src, src, 2, false, (&report{}).calls()); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}

// A march of a tree on a slow server, of more than a minute of simulated time.
func TestMinutes(t *testing.T) {
	both(t, func(t *testing.T, s shape) { workload(t, s, time.Second, time.Minute) })
}

// The same in real time, with a server that is two thousand times as fast.
func TestRealTime(t *testing.T) {
	for name, s := range map[string]shape{"before": old, "after": now} {
		t.Run(name, func(t *testing.T) { workload(t, s, time.Millisecond/2, 0) })
	}
}

func workload(t *testing.T, s shape, delay, least time.Duration) {
	some := func(path string) bool { return strings.HasPrefix(path, "d") || rand.N(10) > 0 }
	src, dst := newTree(60, 9, 3, some), newTree(60, 9, 3, some)
	src.delay = func() time.Duration { return delay/2 + rand.N(delay) }
	dst.delay = src.delay
	var r report
	start := time.Now()
	if err := s.run(t.Context(), src, dst, 8, false, r.calls()); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took < least {
		t.Errorf("it took %v", took)
	}
	if d := cmp.Diff(want(src, dst, false).sorted(), r.sorted()); d != "" {
		t.Error(d)
	}
	t.Logf("%d directories, %d entries, %v", len(src.dirs), len(r.match)+len(r.srcOnly)+len(r.dstOnly), time.Since(start))
}

// A disk is a tree of real files.
type disk string

func (root disk) List(_ context.Context, dir string, fn func([]march.Entry) error) error {
	entries, err := os.ReadDir(filepath.Join(string(root), dir))
	if errors.Is(err, fs.ErrNotExist) {
		return march.ErrNotFound
	}
	var all []march.Entry
	for _, e := range entries {
		all = append(all, march.Entry{Path: path.Join(dir, e.Name()), Dir: e.IsDir()})
	}
	slices.SortFunc(all, byKey)
	return errors.Join(err, fn(all))
}

func (root disk) Lookup(_ context.Context, path string) (march.Entry, error) {
	_, err := os.Stat(filepath.Join(string(root), path))
	if errors.Is(err, fs.ErrNotExist) {
		err = march.ErrNotFound
	}
	return march.Entry{Path: path}, err
}

// write makes the files of x.
func (root disk) write(t *testing.T, x *tree) disk {
	for dir, entries := range x.dirs {
		err := os.MkdirAll(filepath.Join(string(root), dir), 0o777)
		for _, e := range entries {
			if !e.Dir {
				err = errors.Join(err, os.WriteFile(filepath.Join(string(root), e.Path), nil, 0o666))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// Two folders of real files, with listings and with look-ups.
func TestOnDisk(t *testing.T) {
	some := func(path string) bool { return strings.HasPrefix(path, "d") || rand.N(10) > 0 }
	src, dst := newTree(20, 4, 3, some), newTree(20, 4, 3, some)
	srcDisk, dstDisk := disk(t.TempDir()).write(t, src), disk(t.TempDir()).write(t, dst)
	for name, s := range map[string]shape{"before": old, "after": now} {
		t.Run(name, func(t *testing.T) {
			for _, noTraverse := range []bool{false, true} {
				var r report
				if err := s.run(t.Context(), srcDisk, dstDisk, 8, noTraverse, r.calls()); err != nil {
					t.Error(err)
				}
				if d := cmp.Diff(want(src, dst, noTraverse).sorted(), r.sorted()); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// BenchmarkMarch compares a tree of 10,000 entries in 91 directories with itself.
func BenchmarkMarch(b *testing.B) {
	src := newTree(100, 9, 2, all)
	entries := 0
	for _, d := range src.dirs {
		entries += len(d)
	}
	quiet := march.Calls{SrcOnly: func(march.Entry) {}, DstOnly: func(march.Entry) {}, Match: func(march.Entry) error { return nil }}
	run := func(s shape) func(*testing.B, int) {
		return func(b *testing.B, n int) {
			for range n / entries {
				if err := s.run(context.Background(), src, src, 8, false, quiet); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	proof.Paired(b, 10*entries, run(old), run(now))
}
