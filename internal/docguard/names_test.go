package docguard_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var fset = token.NewFileSet()

// A loaded is a package with its files and those of its external test package, which
// has the Examples.
type loaded struct {
	files, tests []*ast.File
	served       bool // Examples need a server
}

// parse adds a file; text is as for parser.ParseFile.
func (l *loaded) parse(t *testing.T, path string, text any) {
	t.Helper()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, "_test.go") {
		l.tests = append(l.tests, file)
	} else {
		l.files = append(l.files, file)
	}
}

// A name is an exported name of a package.
type name struct {
	name  string     // a method or a field is Type.Name
	doc   string     // its comment
	begin string     // how doc must begin; empty for any beginning
	refs  []ast.Node // the types that are shown with it: results, fields, the type of a constant
	field bool       // a field needs no Example
}

// names returns the exported names of p. A group of constants or variables may share a
// comment, or have one at the end of each line. So may fields, or the comment of their
// type contains their names.
func names(p *doc.Package) (all []name) {
	values := func(groups []*doc.Value, typ ...ast.Node) {
		for _, g := range groups {
			for _, spec := range g.Decl.Specs {
				s := spec.(*ast.ValueSpec)
				for _, id := range s.Names {
					n := name{name: id.Name, doc: cmp.Or(s.Doc.Text(), s.Comment.Text(), g.Doc), refs: typ}
					if !g.Decl.Lparen.IsValid() {
						n.begin = id.Name
					}
					all = append(all, n)
				}
			}
		}
	}
	functions := func(prefix string, fns []*doc.Func) {
		for _, f := range fns {
			n := name{name: prefix + f.Name, doc: f.Doc, begin: f.Name}
			if f.Decl.Type.Results != nil {
				n.refs = []ast.Node{f.Decl.Type.Results}
			}
			all = append(all, n)
		}
	}
	values(slices.Concat(p.Consts, p.Vars))
	functions("", p.Funcs)
	for _, t := range p.Types {
		spec := t.Decl.Specs[0].(*ast.TypeSpec)
		typ := name{name: t.Name, doc: t.Doc, begin: t.Name}
		members := new(ast.FieldList)
		x, isStruct := spec.Type.(*ast.StructType)
		if i, ok := spec.Type.(*ast.InterfaceType); ok {
			members = i.Methods
		} else if isStruct {
			members, typ.refs = x.Fields, []ast.Node{x.Fields}
		}
		all = append(all, typ)
		for _, m := range members.List {
			for _, id := range m.Names {
				n := name{name: t.Name + "." + id.Name, doc: cmp.Or(m.Doc.Text(), m.Comment.Text()), field: isStruct}
				if regexp.MustCompile(`\b` + id.Name + `\b`).MatchString(t.Doc) {
					n.doc = t.Doc
				}
				all = append(all, n)
			}
		}
		values(slices.Concat(t.Consts, t.Vars), spec.Name)
		functions("", t.Funcs)
		functions(t.Name+".", t.Methods)
	}
	return slices.DeleteFunc(all, func(n name) bool {
		_, member, _ := strings.Cut(n.name, ".")
		return !ast.IsExported(n.name) || member != "" && !ast.IsExported(member)
	})
}

// gaps returns descriptions of the missing documentation.
func (l *loaded) gaps(t *testing.T) (gaps []string) {
	t.Helper()
	p, err := doc.NewFromFiles(fset, l.files, "p", doc.PreserveAST)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(p.Doc, "Package "+p.Name+" ") {
		gaps = append(gaps, "package "+p.Name+": has no comment that begins with its name")
	}
	for _, heading := range []string{"# Cost\n", "# When not to use it\n"} {
		if !strings.Contains(p.Doc, heading) {
			gaps = append(gaps, "package "+p.Name+": has no section "+strings.TrimSpace(heading))
		}
	}
	for _, ex := range doc.Examples(l.tests...) {
		if ex.Output == "" && !ex.EmptyOutput && !l.served {
			gaps = append(gaps, "Example"+ex.Name+": has no output, so it is not run")
		}
	}
	all := names(p)
	shown := l.shown(p.Name, all)
	for _, n := range all {
		switch {
		case n.doc == "":
			gaps = append(gaps, n.name+": has no comment")
		case n.begin != "" && !regexp.MustCompile(`^((A|An|The) )?`+n.begin+`[ ,.:;'\n]`).MatchString(n.doc):
			gaps = append(gaps, fmt.Sprintf("%s: its comment begins with %.20q", n.name, n.doc))
		}
		if !n.field && !shown[n.name] && !slices.Contains(standard, n.name[strings.Index(n.name, ".")+1:]) {
			gaps = append(gaps, n.name+": is in no Example")
		}
	}
	return gaps
}

// standard has the methods that only the standard library calls.
var standard = []string{"Error", "Unwrap", "String", "MarshalText", "MarshalJSON", "ServeHTTP", "RoundTrip", "CloseIdleConnections"}

// shown returns the names that appear in Examples: names in the body of an Example, names
// with an Example of their own, and the types that are shown with both. It compares names
// as written, so a method is shown if an Example calls a method of that name.
func (l *loaded) shown(pkg string, all []name) map[string]bool {
	shown, methods := map[string]bool{}, map[string]bool{}
	for _, file := range l.tests {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !strings.HasPrefix(fn.Name.Name, "Example") {
				continue
			}
			typ, method, _ := strings.Cut(strings.TrimPrefix(fn.Name.Name, "Example"), "_")
			shown[typ], shown[typ+"."+method] = true, true
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				switch x := n.(type) {
				case *ast.SelectorExpr:
					if of, ok := x.X.(*ast.Ident); ok && of.Name == pkg {
						shown[x.Sel.Name] = true
					} else {
						methods[x.Sel.Name] = true
					}
				case *ast.Ident:
					if file.Name.Name == pkg { // the Example is in the package itself
						shown[x.Name] = true
					}
				}
				return true
			})
		}
	}
	for more := true; more; {
		more = false
		for _, n := range all {
			_, method, _ := strings.Cut(n.name, ".")
			if !shown[n.name] && !methods[method] {
				continue
			}
			shown[n.name] = true
			for _, ref := range n.refs {
				ast.Inspect(ref, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok && ast.IsExported(id.Name) && !shown[id.Name] {
						shown[id.Name], more = true, true
					}
					return true
				})
			}
		}
	}
	return shown
}
