package main

import (
	"bytes"
	"regexp"
	"strconv"
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
			p.addLink(line, against(base, unescaped(target)))
		}
	}
	rule := "" // the name of the at-rule that is being read
	for {
		kind, text := lexer.Next()
		switch kind {
		case css.ErrorToken:
			return
		case css.URLToken:
			if rule != "@namespace" { // which has a name, and not a place
				url := strings.TrimSpace(string(text[len("url(") : len(text)-1]))
				add(strings.Trim(url, `'"`), line)
			}
			rule = ""
		case css.StringToken:
			if rule == "@import" {
				add(string(text[1:len(text)-1]), line)
			}
			rule = ""
		case css.AtKeywordToken:
			rule = strings.ToLower(string(text))
		}
		line += bytes.Count(text, []byte("\n"))
	}
}

var escape = regexp.MustCompile(`\\(?:([0-9a-fA-F]{1,6})(?:\r\n|\s)?|\r\n|(?s:.))`)

// unescaped returns the text that a string or a URL of a style sheet stands for.
func unescaped(text string) string {
	return escape.ReplaceAllStringFunc(text, func(s string) string {
		if hex := escape.FindStringSubmatch(s)[1]; hex != "" {
			code, _ := strconv.ParseUint(hex, 16, 32) // it fits
			return string(rune(code))
		}
		return strings.TrimLeft(s[1:], "\r\n\f") // a line break that is escaped goes
	})
}
