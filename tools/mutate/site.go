package main

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// A site is a node under consideration with the nodes around it.
type site struct {
	*file
	node  ast.Node
	above []ast.Node // outermost first
}

// function returns the name of the function around s, or "" outside of functions.
func (s site) function() string {
	for _, n := range append(s.above[:len(s.above):len(s.above)], s.node) {
		if fn, ok := n.(*ast.FuncDecl); ok {
			name := fn.Name.Name
			if fn.Recv == nil || len(fn.Recv.List) == 0 {
				return name
			}
			recv, _, _ := strings.Cut(strings.TrimPrefix(s.code(fn.Recv.List[0].Type), "*"), "[")
			return recv + "." + name
		}
	}
	return ""
}

// parent returns the node around s.
func (s site) parent() ast.Node {
	if len(s.above) == 0 {
		return nil
	}
	return s.above[len(s.above)-1]
}

// statement reports whether s is a statement of a list, and not a part of another
// statement.
func (s site) statement() bool {
	stmt, ok := s.node.(ast.Stmt)
	if !ok {
		return false
	}
	return slices.Contains(list(s.parent()), stmt)
}

// list returns the statements of a block or a case.
func list(n ast.Node) []ast.Stmt {
	switch n := n.(type) {
	case *ast.BlockStmt:
		return n.List
	case *ast.CaseClause:
		return n.Body
	case *ast.CommClause:
		return n.Body
	}
	return nil
}

// before inserts text before n, after inserts text after n, and replace replaces n by
// text.
func (s site) before(n ast.Node, text string) edit { return edit{s.at(n.Pos()), s.at(n.Pos()), text} }
func (s site) after(n ast.Node, text string) edit  { return edit{s.at(n.End()), s.at(n.End()), text} }
func (s site) replace(n ast.Node, text string) edit {
	return edit{s.at(n.Pos()), s.at(n.End()), text}
}

// drop makes a statement unreachable. The names in it stay in use, so the mutant
// compiles.
func (s site) drop(n ast.Stmt) []edit {
	return []edit{s.before(n, "if false { "), s.after(n, " }")}
}

// never makes a condition false and keeps its side effects.
func (s site) never(n ast.Expr) []edit {
	return []edit{s.before(n, "(("), s.after(n, ") && false)")}
}

// call returns the parts of n if it is a statement that is a call: x and name of
// x.name(…), or nil and name of name(…).
func call(n ast.Node) (x ast.Expr, name string) {
	if stmt, ok := n.(*ast.ExprStmt); ok {
		if c, ok := stmt.X.(*ast.CallExpr); ok {
			return callee(c)
		}
	}
	return nil, ""
}

func callee(c *ast.CallExpr) (x ast.Expr, name string) {
	fun := c.Fun
	if index, ok := fun.(*ast.IndexExpr); ok {
		fun = index.X
	}
	switch fun := fun.(type) {
	case *ast.SelectorExpr:
		return fun.X, fun.Sel.Name
	case *ast.Ident:
		return nil, fun.Name
	}
	return nil, ""
}

// calls reports whether n calls a function for whose name good returns true.
func calls(n ast.Node, good func(name string) bool) (found bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			_, name := callee(c)
			found = found || good(name)
		}
		return !found
	})
	return found
}

// received returns the channel of a receive in n.
func received(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return n.X
		}
	case *ast.ExprStmt:
		return received(n.X)
	case *ast.AssignStmt:
		if len(n.Rhs) == 1 {
			return received(n.Rhs[0])
		}
	}
	return nil
}

// ends reports whether a list of statements ends by leaving its block.
func ends(list []ast.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch last := list[len(list)-1].(type) {
	case *ast.ReturnStmt:
		return true
	case *ast.BranchStmt:
		return last.Tok != token.FALLTHROUGH
	}
	return false
}
