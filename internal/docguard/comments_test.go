package docguard_test

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"unicode"
)

// undocumented returns the exported names in the files of a package that lack the
// comment that they should have, each with what is wrong. Comments begin as Go
// asks: with the name, of a type also with an article before it. A group of
// constants or variables may share a comment, or have one at the end of each
// line. So may fields, or the comment of their type names them.
func undocumented(pkg string, files []*ast.File) []string {
	var gaps []string
	missing := func(where, want string, doc *ast.CommentGroup) {
		switch {
		case doc.Text() == "":
			gaps = append(gaps, where+": has no comment")
		case want != "" && !begins(doc.Text(), want):
			gaps = append(gaps, fmt.Sprintf("%s: its comment begins with %.20q", where, doc.Text()))
		}
	}
	packageDoc := false
	for _, file := range files {
		packageDoc = packageDoc || begins(file.Doc.Text(), "Package "+pkg)
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				recv := receiver(d)
				if !d.Name.IsExported() || recv != "" && !ast.IsExported(recv) {
					continue
				}
				missing(strings.TrimPrefix(recv+"."+d.Name.Name, "."), d.Name.Name, d.Doc)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						if !s.Name.IsExported() {
							continue
						}
						missing(s.Name.Name, s.Name.Name, either(s.Doc, d.Doc))
						for _, m := range members(s.Type) {
							for _, id := range m.Names {
								if id.IsExported() && !slices.Contains(words(either(s.Doc, d.Doc)), id.Name) {
									missing(s.Name.Name+"."+id.Name, "", either(m.Doc, m.Comment))
								}
							}
						}
					case *ast.ValueSpec:
						want := ""
						if !d.Lparen.IsValid() {
							want = s.Names[0].Name
						}
						for _, id := range s.Names {
							if id.IsExported() {
								missing(id.Name, want, either(s.Doc, either(s.Comment, d.Doc)))
							}
						}
					}
				}
			}
		}
	}
	if !packageDoc {
		gaps = append(gaps, "package "+pkg+": has no comment that begins with its name")
	}
	return gaps
}

// members returns the fields of a struct or the methods of an interface.
func members(typ ast.Expr) []*ast.Field {
	switch x := typ.(type) {
	case *ast.StructType:
		return x.Fields.List
	case *ast.InterfaceType:
		return x.Methods.List
	}
	return nil
}

// words returns the words of a comment.
func words(doc *ast.CommentGroup) []string {
	return strings.FieldsFunc(doc.Text(), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

func either(a, b *ast.CommentGroup) *ast.CommentGroup {
	if a.Text() != "" {
		return a
	}
	return b
}

// begins reports whether text begins with words, maybe behind an article.
func begins(text, words string) bool {
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	rest, ok := strings.CutPrefix(text, words)
	return ok && strings.TrimLeft(rest, " ,.:;'\n") != rest
}
