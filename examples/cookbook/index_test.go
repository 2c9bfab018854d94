package cookbook_test

import (
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The list in docs has every recipe, and each is one short Example that is run.
func TestEveryRecipeIsListedAndShort(t *testing.T) {
	list, err := os.ReadFile("../../docs/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, "../sqlite/etl_test.go") {
		if name == "index_test.go" {
			continue
		}
		link := path.Join("examples/cookbook", filepath.ToSlash(name))
		if !strings.Contains(string(list), "](../"+link+")") {
			t.Errorf("docs/cookbook.md has no link to %s", link)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
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
