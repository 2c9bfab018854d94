package docguard_test

import (
	"go/ast"
	"strings"
)

// shown returns the names of the package that a reader sees at work: what is named in the body
// of some Example, what has an Example of its own, and the types of the results of both. Names
// are compared as they are written, so a method is shown if an Example calls one of its name.
func (l *loaded) shown() map[string]bool {
	shown, methods := map[string]bool{}, map[string]bool{}
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
				switch x := n.(type) {
				case *ast.SelectorExpr:
					if pkg, ok := x.X.(*ast.Ident); ok && pkg.Name == l.name {
						shown[x.Sel.Name] = true
					} else {
						methods[x.Sel.Name] = true
					}
				case *ast.Ident:
					if file.Name.Name == l.name { // it is in the package itself
						shown[x.Name] = true
					}
				}
				return true
			})
		}
	}
	for _, name := range exported(l.files) {
		if _, method, ok := strings.Cut(name, "."); ok && methods[method] {
			shown[name] = true
		}
	}
	for more := true; more; { // what is shown shows the types that its declaration names
		more = false
		for _, file := range l.files {
			for _, decl := range file.Decls {
				more = follow(shown, decl) || more
			}
		}
	}
	return shown
}

// follow marks the types that a declaration of something shown names: the results of a function,
// the fields of a struct, the type of a constant or variable. It reports whether one was not
// marked before.
func follow(shown map[string]bool, decl ast.Decl) (more bool) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Type.Results != nil && shown[qualified(d)] {
			more = mark(shown, d.Type.Results)
		}
	case *ast.GenDecl:
		var typ ast.Expr // of a constant without one it is that of the one before
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if x, ok := s.Type.(*ast.StructType); ok && shown[s.Name.Name] {
					more = mark(shown, x.Fields) || more
				}
			case *ast.ValueSpec:
				if s.Type != nil || len(s.Values) > 0 {
					typ = s.Type
				}
				if typ != nil && shown[s.Names[0].Name] {
					more = mark(shown, typ) || more
				}
			}
		}
	}
	return more
}

func qualified(fn *ast.FuncDecl) string {
	if recv := receiver(fn); recv != "" {
		return recv + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// mark marks the exported names in n, and reports whether one was not marked before.
func mark(shown map[string]bool, n ast.Node) (more bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && ast.IsExported(id.Name) && !shown[id.Name] {
			shown[id.Name], more = true, true
		}
		return true
	})
	return more
}
