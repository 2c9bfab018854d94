package main

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// A mutant is the program with one small fault in it.
type mutant struct {
	pkg      *source
	file     *file
	operator *operator
	fn       string // the function it is in, such as Pool.Go
	line     int
	text     string // the changed code, in one line
	id       string // file:line:operator; changes as the file is edited
	key      string // identifies the mutant by the code, independent of the line
	edits    []edit // in order, not overlapping
}

// An edit replaces file[from:to] by text.
type edit struct {
	from, to int
	text     string
}

// source returns the text of the file with the fault.
func (m *mutant) source() []byte {
	var out []byte
	at := 0
	for _, e := range m.edits {
		out = append(out, m.file.text[at:e.from]...)
		out = append(out, e.text...)
		at = e.to
	}
	return append(out, m.file.text[at:]...)
}

// mutants returns all mutants of p that the operators make, by file and line. Of two
// mutants that are the same program, it keeps the one of the earlier operator.
func (p *source) mutants(operators []*operator) []*mutant {
	var all []*mutant
	made := map[string]bool{}
	for _, op := range operators {
		for _, f := range p.files {
			f.visit(func(s site) {
				op.find(s, func(at ast.Node, edits ...edit) {
					slices.SortFunc(edits, func(a, b edit) int { return a.from - b.from })
					program := fmt.Sprint(f.name, edits)
					if made[program] {
						return
					}
					made[program] = true
					all = append(all, &mutant{
						pkg: p, file: f, operator: op, edits: edits, fn: s.function(),
						line: f.fset.Position(at.Pos()).Line, text: strings.Join(strings.Fields(f.code(at)), " "),
					})
				})
			})
		}
	}
	slices.SortStableFunc(all, func(a, b *mutant) int {
		if c := strings.Compare(a.file.name, b.file.name); c != 0 {
			return c
		}
		return a.line - b.line
	})
	ids, keys := map[string]int{}, map[string]int{}
	for _, m := range all {
		m.id = unique(ids, fmt.Sprintf("%s/%s:%d:%s", p.path, m.file.name, m.line, m.operator.name))
		m.key = unique(keys, fmt.Sprintf("%s %s %s: %s", p.path, m.fn, m.operator.name, shorten(m.text)))
	}
	return all
}

// unique returns name, with a number if the name was returned before.
func unique(given map[string]int, name string) string {
	given[name]++
	if n := given[name]; n > 1 {
		return fmt.Sprintf("%s #%d", name, n)
	}
	return name
}

// shorten returns the start of a long text.
func shorten(text string) string {
	const most = 80
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
