package main

import (
	"go/ast"
	"go/token"
)

func findUnbuffered(s site, add func(span, ...edit)) {
	c, ok := s.node.(*ast.CallExpr)
	if !ok || len(c.Args) != 2 {
		return
	}
	_, isChan := c.Args[0].(*ast.ChanType)
	if _, name := callee(c); name == "make" && isChan && s.code(c.Args[1]) == "1" {
		add(c, s.replace(c.Args[1], "0"))
	}
}

func findCompare(s site, add func(span, ...edit)) {
	other := map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}
	n, ok := s.node.(*ast.BinaryExpr)
	if ok && other[n.Op] != "" {
		at := s.at(n.OpPos)
		add(n, edit{at, at + len(n.Op.String()), other[n.Op]})
	}
}
