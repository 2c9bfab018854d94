package testkit

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Pairs calls every pair of functions concurrently, each also with itself, on a new
// value from make, and then calls end. It is for the race detector, and for methods
// that wait for each other.
func Pairs[T any](t *testing.T, calls map[string]func(T), make func() T, end func(T)) {
	t.Helper()
	names := slices.Sorted(maps.Keys(calls))
	for i, a := range names {
		for _, b := range names[i:] {
			ok := false
			Watchdog(t, func() {
				v := make()
				var ready, wg sync.WaitGroup
				ready.Add(2)
				for _, name := range []string{a, b} {
					wg.Go(func() {
						ready.Done()
						ready.Wait()
						calls[name](v)
					})
				}
				wg.Wait()
				end(v)
				ok = true
			})
			if !ok || t.Failed() {
				t.Fatalf("%s and %s at once", a, b)
			}
		}
	}
}

// Exported returns the exported methods of the given types of the package in the
// current directory, as Type.Method, and its exported functions for the type "". It
// leaves out methods with type parameters, which are short forms, and functions that
// return an option.
func Exported(t testing.TB, types ...string) []string {
	t.Helper()
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || isOption(fn) {
				continue
			}
			receiver := ""
			if fn.Recv != nil {
				if fn.Type.TypeParams != nil {
					continue
				}
				receiver = typeName(fn.Recv.List[0].Type)
			}
			if slices.Contains(types, receiver) {
				names = append(names, strings.TrimPrefix(receiver+"."+fn.Name.Name, "."))
			}
		}
	}
	slices.Sort(names)
	return names
}

func isOption(fn *ast.FuncDecl) bool {
	results := fn.Type.Results
	return results != nil && strings.HasSuffix(typeName(results.List[0].Type), "Option")
}

// typeName returns the name of a type without its pointer and parameters.
func typeName(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return typeName(x.X)
	case *ast.IndexExpr:
		return typeName(x.X)
	case *ast.IndexListExpr:
		return typeName(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

// Complete fails the test unless calls has a function for each of names.
func Complete[F any](t testing.TB, names []string, calls map[string]F) {
	t.Helper()
	if len(names) == 0 {
		t.Error("there are no names")
	}
	for _, name := range names {
		if _, ok := calls[name]; !ok {
			t.Errorf("there is nothing for %s", name)
		}
	}
}
