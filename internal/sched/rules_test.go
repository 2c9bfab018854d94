package sched_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// engines are the folders whose packages use this one.
var engines = []string{"../../broadcast", "../../fan", "../../inflight", "../../pipeline", "../../ratelimit", "../../pool", "../taskpool", "../taskctx", "../spsc", "../stage"}

// The engines use no synchronization that the explorer does not observe.
func TestEnginesFollowTheRules(t *testing.T) {
	for _, dir := range engines {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_go127.go") { // a parser of Go 1.26 may be the one in use
				continue
			}
			for _, breach := range breaches(t, name, nil) {
				t.Errorf("%s:%s", name, breach)
			}
		}
	}
}

// Each rule finds its breaches, and a call of Opaque permits them.
func TestTheRulesFindBreaches(t *testing.T) {
	const head = "package p\n\nfunc f(ctx context.Context, ch chan int, done func()) {\n"
	for code, want := range map[string]string{
		"<-ch":                                         "4: receives",
		"v := <-ch":                                    "4: receives",
		"for <-ch > 0 {\n}":                            "4: receives",
		"if true {\n<-ch\n}":                           "5: receives",
		"ch <- 1":                                      "4: sends",
		"close(ch)":                                    "4: closes a channel",
		"defer close(ch)":                              "4: closes a channel",
		"select {\n}":                                  "4: selects",
		"if ctx.Err() != nil {\n}":                     "4: asks a context by Err",
		"context.AfterFunc(ctx, done)":                 "4: calls context.AfterFunc",
		"time.AfterFunc(0, done)":                      "4: calls time.AfterFunc",
		"time.NewTimer(0)":                             "4: calls time.NewTimer",
		"ctxselect.Recv(ctx, ch)":                      "4: calls ctxselect.Recv",
		"ctxselect.Send(ctx, ch, 1)":                   "4: calls ctxselect.Send",
		"sched.Opaque(\"x\")\n<-ch":                    "",
		"sched.Opaque(\"x\")\nselect {\n}":             "",
		"sched.Opaque(\"x\")\nf()\n<-ch":               "6: receives",
		"sched.Opaque(\"x\")\nclose(ch)\n<-ch":         "",
		"sched.Opaque(\"x\")\nif <-ch > 0 {}":          "",
		"sched.Err(ctx)\nctxselect.Require(ctx, \"\")": "",
	} {
		got := strings.Join(breaches(t, "p.go", head+code+"\n}"), "\n")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", code, diff)
		}
	}
	for _, path := range []string{"sync", "sync/atomic"} {
		got := breaches(t, "p.go", fmt.Sprintf("package p\n\nimport %q", path))
		if diff := cmp.Diff([]string{"3: imports " + path}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// breaches returns the breaches of the rules in a file, with their lines.
func breaches(t *testing.T, name string, source any) (found []string) {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
	if err != nil {
		if _, ok := err.(*fs.PathError); ok || source != nil {
			t.Fatal(err)
		}
		t.Fatalf("%s: %v", name, err)
	}
	note := func(n ast.Node, what string) {
		found = append(found, fmt.Sprintf("%d: %s", fset.Position(n.Pos()).Line, what))
	}
	for _, spec := range file.Imports {
		switch p, _ := strconv.Unquote(spec.Path.Value); p {
		case "sync", "sync/atomic":
			note(spec, "imports "+p)
		}
	}
	allowed := map[ast.Node]bool{} // statements after a call of Opaque
	ast.Inspect(file, func(n ast.Node) bool {
		var list []ast.Stmt
		switch n := n.(type) {
		case *ast.BlockStmt:
			list = n.List
		case *ast.CaseClause:
			list = n.Body
		case *ast.CommClause:
			list = n.Body
		}
		for i := 1; i < len(list); i++ {
			before, ok := list[i-1].(*ast.ExprStmt)
			if ok && (callee(before.X) == "sched.Opaque" || allowed[before] && callee(before.X) == "close") {
				allowed[list[i]] = true
			}
		}
		if allowed[n] {
			return false
		}
		switch n := n.(type) {
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				note(n, "receives")
			}
		case *ast.SendStmt:
			note(n, "sends")
		case *ast.SelectStmt:
			note(n, "selects")
		case *ast.CallExpr:
			switch name := callee(n); {
			case name == "close":
				note(n, "closes a channel")
			case strings.HasSuffix(name, ".Err") && len(n.Args) == 0:
				note(n, "asks a context by Err")
			case banned[name]:
				note(n, "calls "+name)
			}
		}
		return true
	})
	return found
}

var banned = map[string]bool{
	"context.AfterFunc": true, "time.AfterFunc": true, "time.NewTimer": true, "time.NewTicker": true, "time.After": true,
	"ctxselect.Send": true, "ctxselect.Recv": true, "ctxselect.Drain": true, "ctxselect.OrDone": true, "ctxselect.Signal": true,
}

// callee returns the name of the function that is called: "f", "p.F" or "….M".
func callee(x ast.Expr) string {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return ""
	}
	fun := call.Fun
	if index, ok := fun.(*ast.IndexExpr); ok { // with a type
		fun = index.X
	}
	switch fun := fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		if p, ok := fun.X.(*ast.Ident); ok {
			return p.Name + "." + fun.Sel.Name
		}
		return "." + fun.Sel.Name
	}
	return ""
}
