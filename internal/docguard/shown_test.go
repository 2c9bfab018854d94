package docguard_test

import (
	"go/ast"
	"go/types"
	"strings"
)

// shown returns the names of the package that a reader sees at work in the body of
// some Example: functions, methods, constants and variables that are named there,
// types that an expression has, and whatever has an Example of its own.
func (l *loaded) shown() (map[string]bool, error) {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: l.imp}
	if _, err := conf.Check(l.testPath, l.fset, l.tests, info); err != nil {
		return nil, err
	}
	shown := map[string]bool{}
	for _, file := range l.tests {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil {
				continue
			}
			of, ok := strings.CutPrefix(fn.Name.Name, "Example")
			if !ok {
				continue
			}
			typ, method, _ := strings.Cut(of, "_")
			shown[typ] = true
			shown[typ+"."+method] = true
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					l.use(shown, info.Uses[id])
				}
				if e, ok := n.(ast.Expr); ok {
					l.has(shown, info.TypeOf(e))
				}
				return true
			})
		}
	}
	return shown, nil
}

// use marks an object that is named, and the type that a method belongs to.
func (l *loaded) use(shown map[string]bool, obj types.Object) {
	if obj == nil || obj.Pkg() == nil || obj.Pkg().Path() != l.path {
		return
	}
	fn, ok := obj.(*types.Func)
	if !ok || fn.Signature().Recv() == nil {
		shown[obj.Name()] = true
		return
	}
	if named := l.has(shown, fn.Signature().Recv().Type()); named != "" {
		shown[named+"."+fn.Name()] = true
	}
}

// has marks the type of an expression, and returns its name if it is one of the
// package.
func (l *loaded) has(shown map[string]bool, typ types.Type) string {
	switch x := typ.(type) {
	case *types.Pointer:
		return l.has(shown, x.Elem())
	case *types.Tuple: // of a call with several results
		for v := range x.Variables() {
			l.has(shown, v.Type())
		}
	case interface{ Obj() *types.TypeName }: // named or an alias
		if obj := x.Obj(); obj.Pkg() != nil && obj.Pkg().Path() == l.path {
			shown[obj.Name()] = true
			return obj.Name()
		}
	}
	return ""
}
