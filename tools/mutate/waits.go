package main

import (
	"go/ast"
	"go/token"
	"slices"
)

// findHandover drops statements that run when a context has ended or an error is
// handled.
func findHandover(s site, add func(ast.Node, ...edit)) {
	inBranch := false
	switch branch := s.parent().(type) {
	case *ast.CommClause:
		inBranch = branch.Comm != nil && ofContext(s.file, branch.Comm)
	case *ast.CaseClause:
		inBranch = slices.ContainsFunc(branch.List, func(e ast.Expr) bool { return isFailure(s.code(e)) })
	case *ast.BlockStmt:
		if len(s.above) > 1 {
			around, ok := s.above[len(s.above)-2].(*ast.IfStmt)
			inBranch = ok && around.Body == branch && isFailure(s.code(around.Cond))
		}
	}
	if !inBranch || !s.statement() {
		return
	}
	switch n := s.node.(type) {
	case *ast.IncDecStmt:
		add(n, s.drop(n)...)
	case *ast.ExprStmt:
		switch x, name := call(n); {
		case name == "" || name == "panic" || isLock(name) || isUnlock(name):
		case x != nil && (s.code(x) == "point" || name == "Opaque"): // has no effect without the tag points
		default:
			add(n, s.drop(n)...)
		}
	}
}

// ofContext reports whether n receives from the channel of a context.
func ofContext(f *file, n ast.Node) bool {
	ch := received(n)
	return ch != nil && isContext(f.code(ch))
}

func findSignal(s site, add func(ast.Node, ...edit)) {
	if !s.statement() {
		return
	}
	_, name := call(s.node)
	send := false
	switch n := s.node.(type) {
	case *ast.SendStmt:
		send = true
	case *ast.SelectStmt: // select { case ch <- v: default: }
		send = len(n.Body.List) == 2
		for _, c := range n.Body.List {
			comm := c.(*ast.CommClause)
			_, sends := comm.Comm.(*ast.SendStmt)
			send = send && (sends || comm.Comm == nil) && len(comm.Body) == 0
		}
	}
	if send || isSignal(name) || name == "close" {
		add(s.node, s.drop(s.node.(ast.Stmt))...)
	}
}

func findWakeOne(s site, add func(ast.Node, ...edit)) {
	if !s.statement() {
		return
	}
	if loop, ok := s.node.(*ast.RangeStmt); ok { // over the goroutines to wake
		if len(loop.Body.List) == 1 {
			if _, name := call(loop.Body.List[0]); isSignal(name) || name == "close" {
				add(loop, s.after(loop.Body.List[0], "; break"))
			}
		}
		return
	}
	x, name := call(s.node)
	switch {
	case x != nil && name == "Broadcast":
		add(s.node, s.replace(s.node, s.code(x)+".Signal()"))
	case x == nil && name == "close":
		ch := s.node.(*ast.ExprStmt).X.(*ast.CallExpr).Args[0]
		add(s.node, s.replace(s.node, "select { case "+s.code(ch)+" <- struct{}{}: default: }"))
	}
}

func findDeaf(s site, add func(ast.Node, ...edit)) {
	switch n := s.node.(type) {
	case *ast.CommClause:
		if n.Comm != nil && ofContext(s.file, n.Comm) {
			ch := received(n.Comm)
			add(n.Comm, s.before(ch, "([2]<-chan struct{}{1: "), s.after(ch, "}[0])"))
		}
	case *ast.CallExpr:
		if x, name := callee(n); x != nil && name == "ParkCtx" {
			add(n, s.replace(n, s.code(x)+".Park("+s.code(n.Args[1])+")"))
		}
	case *ast.BinaryExpr:
		c, ok := n.X.(*ast.CallExpr)
		if !ok || s.code(n.Y) != "nil" {
			return
		}
		switch x, name := callee(c); {
		case x == nil || name != "Err":
		case n.Op == token.NEQ:
			add(n, s.never(n)...)
		case n.Op == token.EQL:
			add(n, s.before(n, "(("), s.after(n, ") || true)"))
		}
	}
}

// findRecheck ignores a condition on which a function returns or repeats its check,
// after an operation that other goroutines can observe.
func findRecheck(s site, add func(ast.Node, ...edit)) {
	stmt, ok := s.node.(*ast.IfStmt)
	if !ok || stmt.Else != nil || !ends(stmt.Body.List) || !s.statement() {
		return
	}
	if stmt.Init != nil && calls(stmt.Init, isSync) || calls(stmt.Cond, isSync) || s.behindSync() {
		add(stmt.Cond, s.never(stmt.Cond)...)
	}
}

// behindSync reports whether s follows a call that other goroutines can observe, in its
// block.
func (s site) behindSync() bool {
	for _, stmt := range list(s.parent()) {
		if stmt == s.node {
			return false
		}
		if _, name := call(stmt); isSync(name) {
			return true
		}
		if _, ok := stmt.(*ast.AssignStmt); ok && calls(stmt, isSync) {
			return true
		}
	}
	return false
}

func findUnbuffered(s site, add func(ast.Node, ...edit)) {
	c, ok := s.node.(*ast.CallExpr)
	if !ok || len(c.Args) != 2 {
		return
	}
	_, isChan := c.Args[0].(*ast.ChanType)
	if _, name := callee(c); name == "make" && isChan && s.code(c.Args[1]) == "1" {
		add(c, s.replace(c.Args[1], "0"))
	}
}
