package main

import (
	"go/ast"
	"go/token"
)

func findUnlock(s site, add func(span, ...edit)) {
	if _, name := call(s.node); isUnlock(name) && s.statement() {
		add(s.node, s.drop(s.node.(ast.Stmt))...)
	}
	if d, ok := s.node.(*ast.DeferStmt); ok {
		if _, name := callee(d.Call); isUnlock(name) {
			add(d, s.drop(d)...)
		}
	}
}

// findLock drops all Locks and Unlocks of a mutex in a function.
func findLock(s site, add func(span, ...edit)) {
	fn, ok := s.node.(*ast.FuncDecl)
	if !ok || fn.Body == nil {
		return
	}
	edits := map[string][]edit{}
	locks := map[string]span{}
	var order []string
	ast.PreorderStack(fn.Body, nil, func(n ast.Node, above []ast.Node) bool {
		in := site{s.file, n, above}
		x, name := call(n)
		if d, ok := n.(*ast.DeferStmt); ok {
			x, name = callee(d.Call)
		}
		if x == nil || !isLock(name) && !isUnlock(name) {
			return true
		}
		mu := s.code(x)
		if isLock(name) && locks[mu] == nil {
			locks[mu] = n
			order = append(order, mu)
		}
		if in.statement() {
			edits[mu] = append(edits[mu], s.drop(n.(ast.Stmt))...)
		}
		return true
	})
	for _, mu := range order {
		add(locks[mu], edits[mu]...)
	}
}

func findDefer(s site, add func(span, ...edit)) {
	if d, ok := s.node.(*ast.DeferStmt); ok {
		add(d, s.drop(d)...) // an Unlock has been dropped by findUnlock already
	}
}

func findCompareAndSwap(s site, add func(span, ...edit)) {
	c, ok := s.node.(*ast.CallExpr)
	if !ok || len(c.Args) != 2 {
		return
	}
	if x, name := callee(c); x != nil && name == "CompareAndSwap" {
		add(c, s.replace(c, "func() bool { _ = any("+s.code(c.Args[0])+"); "+s.code(x)+".Store("+s.code(c.Args[1])+"); return true }()"))
	}
}

func findStore(s site, add func(span, ...edit)) {
	if x, name := call(s.node); x != nil && isAtomic(name) && s.statement() {
		add(s.node, s.drop(s.node.(ast.Stmt))...)
	}
}

// findSwap swaps a write and the publication behind it.
func findSwap(s site, add func(span, ...edit)) {
	stmts := list(s.node)
	for i := 1; i < len(stmts); i++ {
		a, b := stmts[i-1], stmts[i]
		if writes(a) && publishes(b) {
			add(both{a, b}, s.replace(a, s.code(b)), s.replace(b, s.code(a)))
		}
	}
}

type both struct{ a, b ast.Stmt }

func (p both) Pos() token.Pos { return p.a.Pos() }
func (p both) End() token.Pos { return p.b.End() }

func writes(n ast.Stmt) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Tok != token.DEFINE
	case *ast.IncDecStmt:
		return true
	case *ast.ExprStmt:
		x, name := call(n)
		return x != nil && isAtomic(name)
	}
	return false
}

func publishes(n ast.Stmt) bool {
	if _, ok := n.(*ast.SendStmt); ok {
		return true
	}
	x, name := call(n)
	return x != nil && isAtomic(name) || isSignal(name) || name == "close"
}
