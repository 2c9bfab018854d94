package docguard_test

import (
	"go/ast"
	"slices"
)

// exported returns the names that a user can write: functions, types, constants
// and variables, and methods as Type.Method. It leaves out methods that the
// standard library calls, and no user needs to.
func exported(files []*ast.File) []string {
	var names []string
	add := func(recv, name string) {
		switch {
		case !ast.IsExported(name), recv != "" && !ast.IsExported(recv):
		case recv == "":
			names = append(names, name)
		case !slices.Contains([]string{"Error", "Unwrap", "String", "ServeHTTP", "RoundTrip", "CloseIdleConnections"}, name):
			names = append(names, recv+"."+name)
		}
	}
	for _, file := range files {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				add(receiver(d), d.Name.Name)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						add("", s.Name.Name)
						if in, ok := s.Type.(*ast.InterfaceType); ok {
							for _, m := range in.Methods.List {
								for _, id := range m.Names {
									add(s.Name.Name, id.Name)
								}
							}
						}
					case *ast.ValueSpec:
						for _, id := range s.Names {
							add("", id.Name)
						}
					}
				}
			}
		}
	}
	return names
}

// receiver returns the name of the type of d's receiver, "" for a function.
func receiver(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return ""
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.Name
		default:
			panic("docguard: a receiver of no known form")
		}
	}
}
