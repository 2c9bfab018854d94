package apiguard_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/exp/apidiff"

	"github.com/tandemgo/tandem/internal/testkit"
)

var update = flag.Bool("update", false, "record the API as it is")

const module = "github.com/tandemgo/tandem"

var public = []string{"broadcast", "broadcast/sse", "fan", "pipeline", "pool", "ratelimit", "ratelimit/httplimit"}

func TestAPIIsAsRecorded(t *testing.T) {
	if testkit.Race {
		t.Skip("there is nothing for the race detector to see, and it makes type checking slow")
	}
	fset := token.NewFileSet()
	// One importer for both sides, so that a type of another package is the
	// same type in both.
	imp := importer.ForCompiler(fset, "source", nil)
	for _, name := range public {
		t.Run(name, func(t *testing.T) {
			record := filepath.Join("testdata", strings.ReplaceAll(name, "/", "_")+".go.txt")
			now := declarations(t, filepath.Join("..", "..", name))
			if *update {
				if err := os.WriteFile(record, now, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			then, err := os.ReadFile(record)
			if err != nil {
				t.Fatal(err)
			}
			report := apidiff.Changes(check(t, fset, imp, name, then), check(t, fset, imp, name, now))
			for _, c := range report.Changes {
				kind := "incompatible"
				if c.Compatible {
					kind = "not recorded"
				}
				t.Errorf("%s: %s", kind, c.Message)
			}
			if t.Failed() {
				t.Log("if this is wanted: go test ./internal/apiguard -update")
			}
		})
	}
}

// The guard sees what it is for.
func TestGuardSeesChanges(t *testing.T) {
	fset := token.NewFileSet()
	imp := importer.Default()
	const old = "package p\n\nfunc F(int) error { return nil }\n"
	for src, want := range map[string]int{
		old: 0,
		"package p\n\nfunc F(int, ...string) error { return nil }\n":     1,
		"package p\n\nfunc F(int) error { return nil }\n\nfunc G() {}\n": 1,
		"package p\n": 1,
		"package p\n\nfunc F(int) error { panic(1) }\n\nfunc unexported() {}": 0,
	} {
		got := apidiff.Changes(check(t, fset, imp, "p", []byte(old)), check(t, fset, imp, "p", []byte(src)))
		if len(got.Changes) != want {
			t.Errorf("%d changes seen in %q, want %d", len(got.Changes), src, want)
		}
	}
}

// declarations returns the source of the package in dir as one file without
// comments and bodies.
func declarations(t *testing.T, dir string) []byte {
	t.Helper()
	ctxt := build.Default
	// What is tagged for later versions is not in the record.
	ctxt.ReleaseTags = ctxt.ReleaseTags[:slices.Index(ctxt.ReleaseTags, "go1.26")+1]
	pkg, err := ctxt.ImportDir(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	imports := map[string]bool{}
	fset := token.NewFileSet()
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if !d.Name.IsExported() {
					continue
				}
				d.Doc, d.Body = nil, new(ast.BlockStmt) // a generic one must have a body
			case *ast.GenDecl:
				if d.Tok == token.IMPORT {
					for _, spec := range d.Specs {
						imports[spec.(*ast.ImportSpec).Path.Value] = true
					}
					continue
				}
			}
			if err := format.Node(&body, fset, decl); err != nil {
				t.Fatal(err)
			}
			body.WriteString("\n\n")
		}
	}
	var src bytes.Buffer
	fmt.Fprintf(&src, "package %s\n\nimport (\n", pkg.Name)
	paths := make([]string, 0, len(imports))
	for path := range imports {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		fmt.Fprintln(&src, path)
	}
	src.WriteString(")\n\n")
	src.Write(body.Bytes())
	out, err := format.Source(src.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func check(t *testing.T, fset *token.FileSet, imp types.Importer, name string, src []byte) *types.Package {
	t.Helper()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	conf := types.Config{Importer: imp, IgnoreFuncBodies: true}
	pkg, err := conf.Check(module+"/"+name, fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pkg
}
