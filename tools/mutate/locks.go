package main

import "go/ast"

func findUnlock(s site, add func(ast.Node, ...edit)) {
	if _, name := call(s.node); isUnlock(name) && s.statement() {
		add(s.node, s.drop(s.node.(ast.Stmt))...)
	}
	if d, ok := s.node.(*ast.DeferStmt); ok {
		if _, name := callee(d.Call); isUnlock(name) {
			add(d, s.drop(d)...)
		}
	}
}

// findLock drops all calls of Lock and Unlock of a mutex in a function.
func findLock(s site, add func(ast.Node, ...edit)) {
	fn, ok := s.node.(*ast.FuncDecl)
	if !ok || fn.Body == nil {
		return
	}
	edits := map[string][]edit{}
	locks := map[string]ast.Node{}
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

func findDefer(s site, add func(ast.Node, ...edit)) {
	if d, ok := s.node.(*ast.DeferStmt); ok {
		add(d, s.drop(d)...) // findUnlock has dropped this Unlock already
	}
}

func findCompareAndSwap(s site, add func(ast.Node, ...edit)) {
	c, ok := s.node.(*ast.CallExpr)
	if !ok || len(c.Args) != 2 {
		return
	}
	if x, name := callee(c); x != nil && name == "CompareAndSwap" {
		add(c, s.replace(c, "func() bool { _ = any("+s.code(c.Args[0])+"); "+s.code(x)+".Store("+s.code(c.Args[1])+"); return true }()"))
	}
}

func findStore(s site, add func(ast.Node, ...edit)) {
	if x, name := call(s.node); x != nil && isAtomic(name) && s.statement() {
		add(s.node, s.drop(s.node.(ast.Stmt))...)
	}
}
