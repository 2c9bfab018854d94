package main

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// linkAttrs are the attributes of each element that refer to another document.
var linkAttrs = map[string][]string{
	"a": {"href"}, "area": {"href"}, "link": {"href", "imagesrcset"},
	"img": {"src", "srcset"}, "source": {"src", "srcset"}, "input": {"src"},
	"video": {"src", "poster"}, "audio": {"src"}, "track": {"src"},
	"script": {"src"}, "iframe": {"src"}, "frame": {"src"}, "embed": {"src"}, "object": {"data"},
	"form": {"action"},
}

// parseHTML adds the links and anchors of src, which starts at the given line of the
// page. Malformed HTML is parsed as browsers do, and is never an error. parseHTML works
// on tokens, since they have positions in the source. It calls heading, if that is not nil,
// with the text of each heading.
func parseHTML(p *Page, src []byte, line int, heading func(text string)) {
	z := html.NewTokenizer(bytes.NewReader(src))
	base, style := "", false
	var title *strings.Builder // not nil in a heading
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return // the end: a bytes.Reader has no other error
		}
		raw := z.Raw()
		newlines := bytes.Count(raw, []byte("\n")) // before Token, which may overwrite it
		if style && kind == html.TextToken {
			parseCSS(p, raw, line, base)
		}
		style = false
		if kind == html.TextToken && title != nil {
			title.WriteString(html.UnescapeString(string(raw)))
		}
		if kind == html.EndTagToken {
			if name, _ := z.TagName(); isHeading(string(name)) && title != nil {
				heading(strings.Join(strings.Fields(title.String()), " "))
				title = nil
			}
		}
		if kind == html.StartTagToken || kind == html.SelfClosingTagToken {
			tok := z.Token()
			style = tok.Data == "style"
			if isHeading(tok.Data) && heading != nil {
				title = new(strings.Builder)
			}
			for _, a := range tok.Attr {
				switch {
				case a.Key == "id", a.Key == "name" && tok.Data == "a":
					p.addAnchor(a.Val)
				case tok.Data == "base" && a.Key == "href" && base == "":
					base = a.Val
				case a.Key == "style":
					parseCSS(p, []byte(a.Val), line, base)
				}
			}
			for _, target := range targets(tok) {
				p.addLink(line, against(base, target))
			}
		}
		line += newlines
	}
}

func isHeading(tag string) bool {
	return len(tag) == 2 && tag[0] == 'h' && tag[1] >= '1' && tag[1] <= '6'
}

// targets returns the documents that a start tag refers to.
func targets(tok html.Token) (list []string) {
	attrs := map[string]string{}
	for _, a := range tok.Attr {
		attrs[a.Key] = a.Val
	}
	switch {
	case tok.Data == "link" && isHint(attrs["rel"]):
		return nil // a hint to the browser, which need not lead to a document
	case tok.Data == "form" && !strings.EqualFold(attrs["method"], "get") && attrs["method"] != "":
		return nil // only a POST would tell
	case tok.Data == "meta" && strings.EqualFold(attrs["http-equiv"], "refresh"):
		if _, after, ok := strings.Cut(attrs["content"], "="); ok { // 5; url=page.html
			list = append(list, strings.Trim(strings.TrimSpace(after), `'"`))
		}
	}
	for _, key := range linkAttrs[tok.Data] {
		if value, ok := attrs[key]; ok && strings.HasSuffix(key, "srcset") {
			list = append(list, srcset(value)...)
		} else if ok {
			list = append(list, value)
		}
	}
	return list
}

// isHint reports whether a link only names a host.
func isHint(rel string) bool {
	words := strings.Fields(strings.ToLower(rel))
	return len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return w != "preconnect" && w != "dns-prefetch" })
}

// srcset returns the URLs of the image candidates of a srcset attribute, which are
// separated by commas and may have descriptors: "a.png, b.png 2x". A URL may contain
// commas, but not begin or end with one.
func srcset(value string) (urls []string) {
	const space = " \t\n\r\f"
	for {
		value = strings.TrimLeft(value, space+",")
		if value == "" {
			return urls
		}
		end := strings.IndexAny(value, space)
		if end < 0 {
			end = len(value)
		}
		u := strings.TrimRight(value[:end], ",")
		urls = append(urls, u)
		value = value[end:]
		if len(u) == end { // a descriptor may follow, up to the next comma
			_, value, _ = strings.Cut(value, ",")
		}
	}
}
