package main

import (
	"bytes"
	"strings"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"
)

// parseCSS adds the links of a style sheet: url(…), and the strings of @import. A fragment
// alone refers to the document that uses the sheet, and is left out.
func parseCSS(p *Page, src []byte, line int, base string) {
	lexer := css.NewLexer(parse.NewInputBytes(bytes.Clone(src))) // the lexer writes to its input
	add := func(target string, line int) {
		if !strings.HasPrefix(target, "#") {
			p.addLink(line, against(base, target))
		}
	}
	imports := false
	for {
		kind, text := lexer.Next()
		switch kind {
		case css.ErrorToken:
			return
		case css.URLToken:
			url := strings.TrimSpace(string(text[len("url(") : len(text)-1]))
			add(strings.Trim(url, `'"`), line)
			imports = false
		case css.StringToken:
			if imports {
				add(string(text[1:len(text)-1]), line)
			}
			imports = false
		case css.AtKeywordToken:
			imports = strings.EqualFold(string(text), "@import")
		}
		line += bytes.Count(text, []byte("\n"))
	}
}
