package docguard_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"
)

// A loaded is a package with its files and those of its external test package, which is where
// Examples are.
type loaded struct {
	name         string
	files, tests []*ast.File
	served       bool // Examples need a server
}

// load reads the files in dir that the present version of Go compiles. It compiles nothing.
func load(t *testing.T, dir string) *loaded {
	t.Helper()
	p, err := build.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.XTestGoFiles) == 0 {
		t.Fatalf("%s has no external test package", dir)
	}
	return &loaded{name: p.Name, files: parse(t, dir, p.GoFiles), tests: parse(t, dir, p.XTestGoFiles)}
}

func parse(t *testing.T, dir string, names []string) []*ast.File {
	t.Helper()
	files := make([]*ast.File, len(names))
	for i, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = file
	}
	return files
}
