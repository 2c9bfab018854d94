package main

import (
	"bytes"

	"golang.org/x/net/html"
)

// linkAttr says which attribute of which element refers to another document.
var linkAttr = map[string]string{
	"a": "href", "area": "href", "link": "href",
	"img": "src", "script": "src", "iframe": "src", "frame": "src", "embed": "src",
	"source": "src", "audio": "src", "video": "src", "track": "src",
}

// parseHTML adds the links and anchors of src, which starts at the given line
// of the page. Malformed HTML is read as browsers do; it is never an error.
// It works on tokens, since those say where in the source they are.
func parseHTML(p *Page, src []byte, line int) {
	z := html.NewTokenizer(bytes.NewReader(src))
	base := ""
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return // the end: a reader of bytes has no other error
		}
		newlines := bytes.Count(z.Raw(), []byte("\n")) // before Token, which may overwrite it
		if kind == html.StartTagToken || kind == html.SelfClosingTagToken {
			tok := z.Token()
			for _, a := range tok.Attr {
				switch {
				case a.Key == "id", a.Key == "name" && tok.Data == "a":
					p.addAnchor(a.Val)
				case tok.Data == "base" && a.Key == "href" && base == "":
					base = a.Val
				case a.Key == linkAttr[tok.Data] && !skipRel(tok):
					p.addLink(line, against(base, a.Val))
				}
			}
		}
		line += newlines
	}
}

// skipRel reports whether a link element is a hint to the browser rather than
// a reference to a document.
func skipRel(tok html.Token) bool {
	if tok.Data != "link" {
		return false
	}
	for _, a := range tok.Attr {
		if a.Key == "rel" && (a.Val == "preconnect" || a.Val == "dns-prefetch") {
			return true
		}
	}
	return false
}
