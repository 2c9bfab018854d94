package faults_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/internal/faults"
)

// Ids are unique and have the letter of their package, and rows have both texts.
func TestRowsAreWhole(t *testing.T) {
	letters := map[string]string{"pool": "P", "pipeline": "L", "fan": "F", "ratelimit": "R", "broadcast": "B", "": "C"}
	seen := map[string]bool{}
	for _, f := range faults.All() {
		if seen[f.ID] {
			t.Errorf("%s is there twice", f.ID)
		}
		seen[f.ID] = true
		if want := "F" + letters[f.Package]; !strings.HasPrefix(f.ID, want) {
			t.Errorf("%s of package %q does not begin with %s", f.ID, f.Package, want)
		}
		if f.Fault == "" || f.Tandem == "" {
			t.Errorf("%s has a half that is empty", f.ID)
		}
	}
}

// Each row has exactly one test in each package that it concerns, and each id in a test
// is that of a row.
func TestEachRowHasItsTest(t *testing.T) {
	for _, pkg := range faults.Packages {
		tests := idsOfTests(t, filepath.Join("..", "..", pkg))
		for _, f := range faults.All() {
			for _, in := range f.In() {
				if in != pkg {
					continue
				}
				if n := len(tests[f.ID]); n != 1 {
					t.Errorf("%s in %s has %d tests: %v", f.ID, pkg, n, tests[f.ID])
				}
				delete(tests, f.ID)
			}
		}
		for id, names := range tests {
			t.Errorf("%s of %v is no row of %s", id, names, pkg)
		}
	}
}

var (
	idInText = regexp.MustCompile(`\bF[PLFRBC]\d+\b`)
	idInName = regexp.MustCompile(`^TestFault(F[PLFRBC]\d+)`)
)

// idsOfTests returns the tests with an id below a directory, by id.
func idsOfTests(t *testing.T, dir string) map[string][]string {
	t.Helper()
	tests := map[string][]string{}
	files := token.NewFileSet()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		if strings.Contains(path, "_go127_") { // only Go 1.27 can parse it, and it has only examples
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			ids := map[string]bool{}
			if m := idInName.FindStringSubmatch(fn.Name.Name); m != nil {
				ids[m[1]] = true
			} else if strings.HasPrefix(fn.Name.Name, "TestFault") {
				t.Errorf("%s: %s has no id", path, fn.Name.Name)
			}
			for _, id := range idInText.FindAllString(fn.Doc.Text(), -1) {
				ids[id] = true
			}
			for id := range ids {
				tests[id] = append(tests[id], fn.Name.Name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
