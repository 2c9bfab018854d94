package docguard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A loaded is a package with its files and those of its external test package,
// which is where Examples are.
type loaded struct {
	name, path, testPath string
	fset                 *token.FileSet
	files, tests         []*ast.File
	imp                  types.Importer // for tests
	served               bool           // Examples need a server
}

// load asks the go command about the package in dir, in the module that dir
// belongs to: it knows about build tags and has compiled what is imported.
func load(t *testing.T, dir string) *loaded {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-test", "-deps", "-export",
		"-json=ImportPath,Name,Dir,GoFiles,XTestGoFiles,ForTest,Export,ImportMap", ".")
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	type listed struct {
		ImportPath, Name, Dir, ForTest, Export string
		GoFiles, XTestGoFiles                  []string
		ImportMap                              map[string]string
	}
	exports := map[string]string{} // of a package compiled for the test, too
	var self, test *listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(listed)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		switch {
		case p.ForTest == "" && filepath.Base(p.Dir) == filepath.Base(dir) && len(p.XTestGoFiles) > 0:
			self = p
		case p.ForTest != "" && p.ImportPath == p.ForTest+"_test ["+p.ForTest+".test]":
			test = p
		}
	}
	if self == nil || test == nil {
		t.Fatalf("%s has no external test package", dir)
	}
	l := &loaded{name: self.Name, path: self.ImportPath, testPath: self.ImportPath + "_test", fset: token.NewFileSet()}
	l.files, l.tests = l.parse(t, self.Dir, self.GoFiles), l.parse(t, self.Dir, test.GoFiles)
	l.imp = importer.ForCompiler(l.fset, "gc", func(path string) (io.ReadCloser, error) {
		if as, ok := test.ImportMap[path]; ok {
			path = as
		}
		if exports[path] == "" {
			return nil, fmt.Errorf("docguard: nothing compiled for %s", path)
		}
		return os.Open(exports[path])
	})
	return l
}

func (l *loaded) parse(t *testing.T, dir string, names []string) []*ast.File {
	t.Helper()
	files := make([]*ast.File, len(names))
	for i, name := range names {
		file, err := parser.ParseFile(l.fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = file
	}
	return files
}
