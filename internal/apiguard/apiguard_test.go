package apiguard_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/build"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "record the API as it is")

var public = []string{"broadcast", "broadcast/sse", "debug", "fan", "inflight", "pipeline", "pool", "ratelimit", "ratelimit/httplimit"}

func TestAPIIsAsRecorded(t *testing.T) {
	for _, name := range public {
		ctxt := build.Default
		// Files for later versions of Go are not in the record.
		ctxt.ReleaseTags = ctxt.ReleaseTags[:slices.Index(ctxt.ReleaseTags, "go1.26")+1]
		pkg, err := ctxt.ImportDir(filepath.Join("..", "..", name), 0)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string][]byte{}
		for _, file := range pkg.GoFiles {
			if files[file], err = os.ReadFile(filepath.Join(pkg.Dir, file)); err != nil {
				t.Fatal(err)
			}
		}
		now := declarations(t, pkg.Name, files)
		record := filepath.Join("testdata", strings.ReplaceAll(name, "/", "_")+".go.txt")
		if *update {
			if err := os.WriteFile(record, []byte(now), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		then, err := os.ReadFile(record)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(then), "\n\n"), strings.Split(now, "\n\n")); diff != "" {
			t.Errorf("%s is not as recorded; if this is wanted: go test ./internal/apiguard -update\n%s", name, diff)
		}
	}
}

// declarations returns the exported declarations of a package, sorted, without comments
// and the bodies of functions.
func declarations(t *testing.T, pkg string, files map[string][]byte) string {
	t.Helper()
	all := []string{}
	for name, text := range files {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.FileExports(file)
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				d.Body = nil
			case *ast.GenDecl:
				if d.Tok == token.IMPORT {
					continue
				}
			}
			var b bytes.Buffer
			if err := format.Node(&b, fset, decl); err != nil {
				t.Fatal(err)
			}
			all = append(all, b.String())
		}
	}
	slices.Sort(all)
	return "package " + pkg + "\n\n" + strings.Join(all, "\n\n") + "\n"
}

// The record has the exported declarations, in any order of files, and nothing else.
func TestRecord(t *testing.T) {
	got := declarations(t, "p", map[string][]byte{
		"b.go": []byte("package p\n\nimport \"fmt\"\n\n// A comment.\nfunc F(n int) error { return fmt.Errorf(\"%d\", n) }\n\nfunc hidden() {}\n"),
		"a.go": []byte("package p\n\ntype S struct {\n\tA, b int // both\n\tT\n}\n\ntype T int\n\nconst one, Two = 1, 2\n\nfunc (s *S) M() {}\n\nfunc (s *S) m() {}\n"),
	})
	const want = "package p\n\nconst Two = 1, 2\n\nfunc (s *S) M()\n\nfunc F(n int) error\n\ntype S struct {\n\tA int\n\tT\n\t// contains filtered or unexported fields\n}\n\ntype T int\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
