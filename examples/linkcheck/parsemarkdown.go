package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// parseMarkdown adds the links and anchors of a document in GitHub's Markdown, with
// GitHub's anchors for headings, and embedded HTML.
func parseMarkdown(p *Page, src []byte) {
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // some editors write a byte order mark
	md := goldmark.New(goldmark.WithExtensions(extension.GFM, extension.Footnote))
	doc := md.Parser().Parse(text.NewReader(src))
	slugs := map[string]int{}
	heading := func(text string) { p.addAnchor(slug(text, slugs)) }
	line := lineCounter(src)
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			heading(plainText(n, src))
		case *ast.Link:
			p.addLink(line(position(n)), destination(n.Destination))
		case *ast.Image:
			p.addLink(line(position(n)), destination(n.Destination))
		case *ast.AutoLink:
			if n.AutoLinkType == ast.AutoLinkURL {
				p.addLink(line(position(n)), string(n.URL(src)))
			}
		case *ast.RawHTML:
			parseSegments(p, n.Segments, src, line, nil)
		case *ast.HTMLBlock:
			parseSegments(p, n.Lines(), src, line, heading)
		}
		return ast.WalkContinue, nil
	})
}

// destination returns the target of a link, in which backslashes and entities may stand for
// characters.
func destination(text []byte) string {
	return string(util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(text))))
}

func parseSegments(p *Page, segs *text.Segments, src []byte, line func(int) int, heading func(string)) {
	if segs.Len() == 0 {
		return
	}
	// A tag may span lines, each with an indentation that is not part of it.
	var raw bytes.Buffer
	for i := range segs.Len() {
		seg := segs.At(i)
		raw.Write(seg.Value(src))
	}
	parseHTML(p, raw.Bytes(), line(segs.At(0).Start), heading)
}

// position returns an offset into the source at or close before n.
func position(n ast.Node) int {
	for ; n != nil; n = n.Parent() {
		if pos := n.Pos(); pos >= 0 {
			return pos
		}
		if n.Type() == ast.TypeBlock && n.Lines() != nil && n.Lines().Len() > 0 {
			return n.Lines().At(0).Start
		}
	}
	return 0
}

// lineCounter returns a function from offsets to line numbers, which is cheap if the
// offsets mostly increase.
func lineCounter(src []byte) func(pos int) int {
	at, line := 0, 1
	return func(pos int) int {
		pos = min(pos, len(src))
		if pos < at {
			at, line = 0, 1
		}
		line += bytes.Count(src[at:pos], []byte("\n"))
		at = pos
		return line
	}
}

// plainText returns the text of a heading, to which GitHub does not count that of images.
func plainText(n ast.Node, src []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			switch n := n.(type) {
			case *ast.Image:
				return ast.WalkSkipChildren, nil
			case *ast.Text:
				b.Write(n.Value(src))
				if n.SoftLineBreak() {
					b.WriteByte(' ')
				}
			case *ast.String:
				b.Write(n.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// word are the characters that GitHub keeps in anchors, besides "-".
var word = []*unicode.RangeTable{unicode.L, unicode.Other_Alphabetic, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc}

// slug returns the anchor that GitHub gives a heading: lower case, letters,
// digits, "-" and "_" kept, spaces turned into "-", a number added to repeats.
func slug(heading string, seen map[string]int) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || unicode.In(r, word...):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
	unique := s
	for seen[unique] > 0 {
		unique = fmt.Sprintf("%s-%d", s, seen[s])
		seen[s]++
	}
	seen[unique]++
	return unique
}
