package docguard_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Directories of the public packages, from the root of the repository.
var public = []string{
	"broadcast",
	"broadcast/sse",
	"fan",
	"pipeline",
	"pool",
	"ratelimit",
	"ratelimit/httplimit",
}

// Directories of the adapters. Their Examples are not run: they would need a server.
var adapters = []string{
	"broadcast/natscast",
	"pool/natspool",
	"ratelimit/grpclimit",
	"ratelimit/redislimit",
}

// What is tagged for a later version of Go is checked when that version runs the
// test: an earlier one can't even parse a generic method.
func TestEveryExportedNameIsDocumentedAndShown(t *testing.T) {
	for _, name := range slices.Concat(public, adapters) {
		t.Run(name, func(t *testing.T) {
			l := load(t, filepath.Join("..", "..", filepath.FromSlash(name)))
			l.served = slices.Contains(adapters, name)
			for _, gap := range l.gaps() {
				t.Error(gap)
			}
		})
	}
}

// gaps returns what a reader of the package does not find, in words.
func (l *loaded) gaps() []string {
	gaps := undocumented(l.name, l.files)
	for _, heading := range []string{"# Cost\n", "# When not to use it\n"} {
		if !slices.ContainsFunc(l.files, func(f *ast.File) bool { return strings.Contains(f.Doc.Text(), heading) }) {
			gaps = append(gaps, "package "+l.name+": has no section "+strings.TrimSpace(heading))
		}
	}
	for _, ex := range doc.Examples(l.tests...) {
		if ex.Output == "" && !ex.EmptyOutput && !l.served {
			gaps = append(gaps, "Example"+ex.Name+": has no output, so it is not run")
		}
	}
	shown := l.shown()
	for _, name := range exported(l.files) {
		if !shown[name] {
			gaps = append(gaps, name+": is in no Example")
		}
	}
	return gaps
}

// The guard sees what it is for.
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
		`Two: its comment begins with "It has a comment tha"`,
		"Three: has no comment",
		"Five.Missing: has no comment",
		"Ten: has no comment",
		"package p: has no section # When not to use it",
		"ExampleFive: has no output, so it is not run",
		"Three: is in no Example",
		"Five.Eight: is in no Example",
		"Ten: is in no Example",
	}
	l := &loaded{name: "p"}
	for name, text := range map[string]string{"p.go": src, "p_test.go": test} {
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if name == "p.go" {
			l.files = []*ast.File{file}
		} else {
			l.tests = []*ast.File{file}
		}
	}
	if diff := cmp.Diff(want, l.gaps()); diff != "" {
		t.Errorf("gaps, -want +got:\n%s", diff)
	}
	l.files[0].Doc = nil
	if gaps := l.gaps(); !slices.Contains(gaps, "package p: has no comment that begins with its name") {
		t.Error("a package without a comment is not seen")
	}
}
