package cookbook_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The list in docs has every recipe. Each is one short Example that is run, in a file that
// compiles when it is copied alone.
func TestEveryRecipeIsListedShortAndAlone(t *testing.T) {
	const etl = "../sqlite/etl_test.go" // runs etl.go, which is what is copied
	list, err := os.ReadFile("../../docs/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, etl) {
		if name == "index_test.go" {
			continue
		}
		link := path.Join("examples/cookbook", filepath.ToSlash(name))
		if !strings.Contains(string(list), "](../"+link+")") {
			t.Errorf("docs/cookbook.md has no link to %s", link)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		copied := file
		if name == etl {
			copied, err = parser.ParseFile(fset, "../sqlite/etl.go", nil, 0)
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range copied.Unresolved { // in this file: imports, and what is elsewhere
			imported := slices.ContainsFunc(copied.Imports, func(im *ast.ImportSpec) bool {
				return strings.HasSuffix(strings.Trim(im.Path.Value, `"`), id.Name)
			})
			if !imported && types.Universe.Lookup(id.Name) == nil {
				t.Errorf("%s does not compile alone: %s is in another file", fset.Position(id.Pos()), id.Name)
			}
		}
		recipes := doc.Examples(file)
		if len(recipes) != 1 {
			t.Errorf("%s has %d Examples, want 1", name, len(recipes))
			continue
		}
		if r := recipes[0]; r.Output == "" || r.Doc == "" {
			t.Errorf("%s: Example%s has no output or no comment", name, r.Name)
		}
		imports := file.Decls[0]
		if lines := fset.Position(file.FileEnd).Line - fset.Position(imports.End()).Line - 2; lines > 60 {
			t.Errorf("%s has %d lines behind its imports, want 60 at most", name, lines)
		}
	}
}
