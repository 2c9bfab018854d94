package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A source is a package to make mutants of.
type source struct {
	path    string // from the root of its module, such as internal/link
	imports string // its import path
	dir     string
	files   []*file
	tests   []stage // its own tests, or users if it has none
	users   []stage // the tests of packages that import it
}

// A file is one of its files, without those of tests.
type file struct {
	name string
	text []byte
	fset *token.FileSet
	tree *ast.File
}

// A listed is a package as go list tells of it.
type listed struct {
	Dir, ImportPath                    string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports                            []string
	Module                             struct{ Path, Dir string }
}

func (l listed) tested() bool { return len(l.TestGoFiles)+len(l.XTestGoFiles) > 0 }

func goList(ctx context.Context, dir, tags string, patterns ...string) (all []listed, err error) {
	args := []string{"list", "-json=Dir,ImportPath,GoFiles,TestGoFiles,XTestGoFiles,Imports,Module", "-tags", tags, "--"}
	cmd := exec.CommandContext(ctx, "go", append(args, patterns...)...)
	var complaints bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &complaints)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, l)
	}
}

// load returns the packages that the patterns name, as the go command knows
// them in dir.
func load(ctx context.Context, dir, tags string, patterns []string) ([]*source, error) {
	wanted, err := goList(ctx, dir, tags, patterns...)
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	module := wanted[0].Module.Path
	around, err := goList(ctx, dir, tags, module+"/...")
	if err != nil {
		return nil, err
	}
	var sources []*source
	for _, l := range wanted {
		path := strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, l.Module.Path), "/")
		s := &source{path: cmp.Or(path, "."), imports: l.ImportPath, dir: l.Dir}
		for _, name := range l.GoFiles {
			f, err := parse(filepath.Join(l.Dir, name))
			if err != nil {
				return nil, err
			}
			s.files = append(s.files, f)
		}
		for _, user := range around {
			if user.Module.Path == module && user.tested() && slices.Contains(user.Imports, l.ImportPath) {
				s.users = append(s.users, stage{tests: byUsers, imports: user.ImportPath, dir: user.Dir})
			}
		}
		s.tests = s.users
		if l.tested() {
			s.tests = []stage{{byTests, l.ImportPath, l.Dir}}
		}
		if len(s.tests) == 0 {
			return nil, fmt.Errorf("%s has no tests, and no package with tests imports it", l.ImportPath)
		}
		sources = append(sources, s)
	}
	return sources, nil
}

func parse(path string) (*file, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &file{name: filepath.Base(path), text: text, fset: token.NewFileSet()}
	f.tree, err = parser.ParseFile(f.fset, path, text, parser.SkipObjectResolution)
	return f, err
}

// visit calls see for each node of f.
func (f *file) visit(see func(site)) {
	ast.PreorderStack(f.tree, nil, func(n ast.Node, above []ast.Node) bool {
		see(site{f, n, above})
		return true
	})
}

// code returns what stands at s.
func (f *file) code(s span) string { return string(f.text[f.at(s.Pos()):f.at(s.End())]) }

// at returns where pos is in text.
func (f *file) at(pos token.Pos) int { return f.fset.PositionFor(pos, false).Offset }
