package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A source is a package to be mutated.
type source struct {
	path    string // from the root of its module, such as internal/spsc
	imports string // its import path
	dir     string
	files   []*file
	tests   []stage // its own tests, or those of the packages that import it
}

// A file is a file of a source other than a test.
type file struct {
	name string
	text []byte
	fset *token.FileSet
	tree *ast.File
}

// A listed is a package in the output of go list.
type listed struct {
	dir, imports, module string
	files, imported      []string
	tested               bool
}

func goList(ctx context.Context, dir string, patterns ...string) (all []listed, err error) {
	const format = "{{.Dir}}\t{{.ImportPath}}\t{{.Module.Path}}\t{{join .GoFiles \" \"}}\t{{join .Imports \" \"}}\t{{.TestGoFiles}}{{.XTestGoFiles}}"
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-f", format, "--"}, patterns...)...)
	var complaints bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &complaints
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, &complaints)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		all = append(all, listed{f[0], f[1], f[2], strings.Fields(f[3]), strings.Fields(f[4]), f[5] != "[][]"})
	}
	return all, nil
}

// load returns the packages that match the patterns of the go command in dir.
func load(ctx context.Context, dir string, patterns []string) ([]*source, error) {
	wanted, err := goList(ctx, dir, patterns...)
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	module := wanted[0].module
	around, err := goList(ctx, dir, module+"/...")
	if err != nil {
		return nil, err
	}
	var sources []*source
	for _, l := range wanted {
		path := strings.TrimPrefix(strings.TrimPrefix(l.imports, l.module), "/")
		s := &source{path: cmp.Or(path, "."), imports: l.imports, dir: l.dir}
		for _, name := range l.files {
			f, err := parse(filepath.Join(l.dir, name))
			if err != nil {
				return nil, err
			}
			s.files = append(s.files, f)
		}
		for _, p := range around {
			if p.imports == l.imports && p.tested {
				s.tests = []stage{{byTests, p.imports, p.dir}}
				break
			} else if p.module == module && p.tested && slices.Contains(p.imported, l.imports) {
				s.tests = append(s.tests, stage{byTests, p.imports, p.dir})
			}
		}
		if len(s.tests) == 0 {
			return nil, fmt.Errorf("%s has no tests, and no package with tests imports it", l.imports)
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

// code returns the source code of s.
func (f *file) code(s ast.Node) string { return string(f.text[f.at(s.Pos()):f.at(s.End())]) }

// at returns the offset of pos in text.
func (f *file) at(pos token.Pos) int { return f.fset.PositionFor(pos, false).Offset }
