package docguard_test

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = "../.."

// internals are folders without a package that programs import.
var internals = []string{".git", "benchmarks", "examples", "integration", "internal", "ports", "proofs", "testdata", "tools"}

// Files tagged for a later version of Go are checked when that version runs the test:
// an earlier one cannot parse a generic method. The Examples of an adapter, which is a
// module of its own, are not run: they would need a server.
func TestEveryExportedNameIsDocumentedAndShown(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || dir == root {
			return err
		}
		if slices.Contains(internals, d.Name()) {
			return fs.SkipDir
		}
		p, err := build.ImportDir(dir, 0)
		if err != nil { // no Go here
			return nil
		}
		seen++
		_, err = os.Stat(filepath.Join(dir, "go.mod"))
		l := &loaded{served: err == nil}
		for _, file := range slices.Concat(p.GoFiles, p.XTestGoFiles) {
			l.parse(t, filepath.Join(dir, file), nil)
		}
		for _, gap := range l.gaps(t) {
			t.Errorf("%s: %s", dir, gap)
		}
		return nil
	})
	if err != nil || seen < 15 {
		t.Errorf("%d packages, error %v", seen, err)
	}
}

// The guard finds each kind of gap.
func TestGuardSeesGaps(t *testing.T) {
	const src = `// Package p is a package.
//
// # Cost
//
// It costs nothing.
package p

// One has a comment and an Example.
func One() {}

// It has a comment that does not begin with its name.
func Two() {}

func Three() {}

func four() {}

// A Five has fields: Named and others.
type Five struct {
	Named   int
	Line    int // has a comment
	Missing int
	hidden  int
}

// Six is shown by its result.
func (f *Five) Six() Seven { return Seven{} }

// Eight is hidden.
func (f *Five) Eight() {}

// String needs no Example.
func (f *Five) String() string { return "" }

// Seven is shown as the result of Six.
type Seven struct{}

const (
	Nine = 9 // a comment
	Ten  = 10
)
`
	const test = `package p

func helper() { new(Five).Eight() }

func ExampleOne() {
	One()
	Two()
	// Output:
}

func ExampleFive() {
	helper()
	new(Five).Six()
	_ = Nine
}
`
	want := []string{
		"package p: has no section # When not to use it",
		"ExampleFive: has no output, so it is not run",
		"Ten: has no comment",
		"Ten: is in no Example",
		"Three: has no comment",
		"Three: is in no Example",
		`Two: its comment begins with "It has a comment tha"`,
		"Five.Missing: has no comment",
		"Five.Eight: is in no Example",
	}
	l := &loaded{}
	l.parse(t, "p.go", src)
	l.parse(t, "p_test.go", test)
	if diff := cmp.Diff(want, l.gaps(t)); diff != "" {
		t.Errorf("gaps, -want +got:\n%s", diff)
	}
	l.files[0].Doc = nil
	if gaps := l.gaps(t); !slices.Contains(gaps, "package p: has no comment that begins with its name") {
		t.Error("a package without a comment is not seen")
	}
}
